import { createMetrics, systemClock } from '@impact-hub/core';
import { expect, test } from 'vitest';
import type { OperationsDeps } from './deps.ts';
import { readDashboard } from './read-dashboard.ts';

test('leaves out what PostgreSQL does not give, all of it after one time limit, instead of waiting', async () => {
  const hanging = (): Promise<never> => new Promise(() => undefined);
  const deps = {
    db: { systemSql: hanging },
    clock: systemClock,
    metrics: createMetrics(),
    changes: { isCurrent: () => false },
    breakers: { list: () => [] },
    responseCache: { view: () => ({ operations: [], entries: 0, bytes: 0, usesRedis: false }) },
    version: '1',
    modules: () => [],
  } as unknown as OperationsDeps;
  expect(await readDashboard(deps)).toMatchObject({ jobs: null, idempotency: null, audit: null, version: '1' });
});
