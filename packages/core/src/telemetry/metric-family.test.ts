import { expect, test } from 'vitest';
import { metricFamily } from './metric-family.ts';
import { createMetrics } from './metrics.ts';

test('figures are counted, measured and read at scrape time; what cannot be read is NaN or left out', async () => {
  const registry = createMetrics();
  const metrics = metricFamily(registry);
  metrics.counter('things_total', 'Things.', ['kind']).inc({ kind: 'a' }, 2);
  metrics.histogram('thing_seconds', 'Durations.', [1, 5]).observe(3);
  let left: number | null = 7;
  metrics.gauge('things_left', 'Left.', () => Promise.resolve(left));
  metrics.gaugeBy('things_of', 'By kind.', 'kind', () => Promise.resolve(left === null ? null : { a: left }));
  const text = await registry.metrics();
  for (const line of [
    'things_total{kind="a"} 2',
    'thing_seconds_bucket{le="5"} 1',
    'things_left 7',
    'things_of{kind="a"} 7',
  ])
    expect(text).toContain(line);
  left = null;
  const later = await registry.metrics();
  expect(later).toContain('things_left Nan');
  expect(later).not.toContain('things_of{');
});
