import { expect, test } from 'vitest';
import { createMetrics, registerJobBacklog } from './metrics.ts';

test('the backlog is read when the figures are', async () => {
  const registry = createMetrics();
  registerJobBacklog(registry, async () => [
    { state: 'queued', count: 3, oldestDueSeconds: 12 },
    { state: 'dead', count: 1, oldestDueSeconds: 900 },
  ]);
  const text = await registry.metrics();
  expect(text).toContain('jobs_backlog{state="queued"} 3');
  expect(text).toContain('jobs_oldest_due_seconds 12');
});

test.each([
  ['hangs', () => new Promise<never>(() => undefined)],
  ['is gone', () => Promise.reject(new Error('connect ECONNREFUSED'))],
])('the other figures are there although the database %s', async (_how, read) => {
  const registry = createMetrics();
  registerJobBacklog(registry, read);
  const text = await registry.metrics();
  expect(text).toContain('process_resident_memory_bytes');
  expect(text).toContain('jobs_oldest_due_seconds Nan');
});
