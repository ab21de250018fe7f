import fc from 'fast-check';
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createCountedHistogram, type Observe } from './counted-histogram.ts';
import { createHttpMetrics } from './metrics.ts';

const bounds = fc.uniqueArray(fc.double({ min: 0.001, max: 10, noNaN: true }), { minLength: 1, maxLength: 6 });
const observation = fc.record({
  labels: fc.record({
    method: fc.constantFrom('GET', 'POST'),
    // Quotes, line breaks and backslashes have to be escaped alike.
    route: fc.oneof(fc.constantFrom('/a', '/b/:id'), fc.string({ unit: 'binary-ascii', maxLength: 6 })),
  }),
  value: fc.oneof(
    fc.double({ min: 0, max: 12, noNaN: true }),
    fc.nat(5).map((index) => ({ bound: index })),
  ),
});

test('a counted histogram shows the same text as prom-client’s own, whatever was observed', async () => {
  await fc.assert(
    fc.asyncProperty(bounds, fc.array(observation, { maxLength: 40 }), async (unsorted, observations) => {
      const buckets = unsorted.toSorted((a, b) => a - b);
      const about = { name: 'duration_seconds', help: 'How long.' };
      const [ours, theirs] = [new Registry(), new Registry()];
      const seriesOf = createCountedHistogram<'method' | 'route'>({ ...about, buckets, registry: ours });
      const reference = new Histogram({ ...about, labelNames: ['method', 'route'], buckets, registers: [theirs] });
      const series = new Map<string, Observe>();
      for (const { labels, value } of observations) {
        const seconds = typeof value === 'number' ? value : buckets[value.bound % buckets.length]!;
        const key = JSON.stringify([labels.method, labels.route]);
        const observe = series.get(key) ?? seriesOf(labels);
        series.set(key, observe);
        observe(seconds);
        reference.observe(labels, seconds);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }),
  );
});

test('requests are counted by method, route and status, each where it belongs', async () => {
  const registry = new Registry();
  const { observe } = createHttpMetrics(registry);
  observe('GET', '/a', 200, 0.5);
  observe('GET', '/a', 200, 1_250);
  observe('GET', '/a', 404, 6_000);
  observe('POST', '/a', 200, 6_000);
  observe('GET', '/b', 200, 6_000);
  const text = await registry.metrics();
  const lines = text.split('\n').filter((line) => line.includes('_count') || line.includes('le="0.001"'));
  expect(lines.map((line) => line.replace('http_request_duration_seconds', ''))).toEqual([
    '_bucket{le="0.001",method="GET",route="/a",status="200"} 1',
    '_count{method="GET",route="/a",status="200"} 2',
    '_bucket{le="0.001",method="GET",route="/a",status="404"} 0',
    '_count{method="GET",route="/a",status="404"} 1',
    '_bucket{le="0.001",method="POST",route="/a",status="200"} 0',
    '_count{method="POST",route="/a",status="200"} 1',
    '_bucket{le="0.001",method="GET",route="/b",status="200"} 0',
    '_count{method="GET",route="/b",status="200"} 1',
  ]);
  expect(text).toContain('_sum{method="GET",route="/a",status="200"} 1.2505');
});

test('and are counted from zero when the registry is reset', async () => {
  const registry = new Registry();
  const { observe } = createHttpMetrics(registry);
  observe('GET', '/a', 200, 1);
  registry.resetMetrics();
  observe('GET', '/a', 200, 2_000);
  const text = await registry.metrics();
  expect(text).toContain('_sum{method="GET",route="/a",status="200"} 2\n');
  expect(text).toContain('_count{method="GET",route="/a",status="200"} 1\n');
});
