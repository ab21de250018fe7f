import { createTestDatabase, createTestRedis } from '@impact-hub/testkit';
import { expect, test } from 'vitest';
import { runRollingRestarts } from './support/rolling-restart.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

test('gateways restarted one after the other fail no request and lose none', async () => {
  const [database, redis, directory] = await Promise.all([
    createTestDatabase(),
    createTestRedis(),
    temporaryDirectory(),
  ]);
  try {
    const report = await runRollingRestarts({
      settings: {
        DATABASE_URL: database.ownerUrl,
        REDIS_URL: redis.url,
        HUB_DATA_DIR: directory.path,
        HUB_DRAIN_SECONDS: '1',
      },
      rounds: 1,
      clients: 8,
    });
    expect(Object.fromEntries(report.failures)).toEqual({});
    expect(report.restarts).toBe(2);
    // Otherwise there was no load, and nothing was shown.
    expect(report.answered).toBeGreaterThan(1_000);
    const [stored] = await database.owner<{ count: number }[]>`
      select count(*)::int as count from impact_in_receipt where event_id = any(${[...report.acknowledged]}::text[])`;
    expect(report.acknowledged.size).toBeGreaterThan(500);
    expect(stored?.count).toBe(report.acknowledged.size);
  } finally {
    await Promise.all([database.drop(), redis.close(), directory.remove()]);
  }
}, 120_000);
