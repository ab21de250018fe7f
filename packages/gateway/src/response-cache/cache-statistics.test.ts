import { createMetrics } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { createCacheStatistics } from './cache-statistics.ts';

const open = () => {
  const metrics = createMetrics();
  const statistics = createCacheStatistics(metrics, { entries: () => 3, bytes: () => 3_000 });
  const scrape = async () => (await metrics.metrics()).split('\n').filter((line) => line.startsWith('response_cache_'));
  return { statistics, scrape };
};

test('what was counted is shown by operation, to operators and to Prometheus', async () => {
  const { statistics, scrape } = open();
  statistics.count('listThings', 'miss');
  statistics.count('listThings', 'memory');
  statistics.count('listThings', 'memory');
  statistics.count('getThing', 'redis');
  statistics.invalidated();
  statistics.redisFailed();
  const { invalidations, operations } = statistics.view();
  expect(invalidations).toBe(1);
  expect(operations).toMatchObject([
    { operationId: 'getThing', redis: 1, memory: 0 },
    { operationId: 'listThings', memory: 2, miss: 1, redis: 0 },
  ]);
  expect((await scrape()).toSorted()).toEqual([
    'response_cache_bytes 3000',
    'response_cache_entries 3',
    'response_cache_invalidations_total 1',
    'response_cache_redis_failures_total 1',
    'response_cache_total{operation="getThing",outcome="redis"} 1',
    'response_cache_total{operation="listThings",outcome="memory"} 2',
    'response_cache_total{operation="listThings",outcome="miss"} 1',
  ]);
});

test('a reset counts anew for operators only: a counter of Prometheus never falls', async () => {
  const { statistics, scrape } = open();
  statistics.count('listThings', 'memory');
  statistics.count('getThing', 'memory');
  statistics.invalidated();
  const before = await scrape();
  statistics.reset();
  expect(statistics.view()).toMatchObject({ invalidations: 0, operations: [] });
  expect(await scrape()).toEqual(before);
  statistics.count('listThings', 'memory');
  expect(statistics.view().operations).toMatchObject([{ operationId: 'listThings', memory: 1 }]);
  expect(await scrape()).toContain('response_cache_total{operation="listThings",outcome="memory"} 2');
});
