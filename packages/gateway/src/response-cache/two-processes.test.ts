import {
  connectDatabase,
  newId,
  publishChange,
  readPastChanges,
  startChangeFeed,
  type Database,
} from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, cachedRoute, okAnswer, startCache } from './test-cache.ts';

let database: TestDatabase;
let store: TestRedis;
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  [database, store] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterAll(async () => {
  await Promise.all(cleanups.map((end) => end()));
  await Promise.all([database.drop(), store.close()]);
});

const route = cachedRoute({ cache: { ttlSeconds: 600, sharedBy: 'everybody', tags: ['thing/:id'] } });

/** A process with connections, a feed and a cache of its own; what it serves is the value of the moment. */
const startProcess = async (value: () => number) => {
  const { runtimeUrl, systemUrl } = database;
  const db: Database = connectDatabase({ runtimeUrl, systemUrl, maxConnections: 3 });
  const feed = await startChangeFeed(db);
  const pastChanges = (topics: readonly string[]) => readPastChanges(db.systemSql, topics);
  const { cache } = startCache({ redis: store.redis, feed, pastChanges });
  cache.follow([route]);
  await cache.warmUp(async () => undefined);
  cleanups.push(async () => {
    await Promise.all([feed.stop(), cache.stop()]);
    await db.close();
  });
  const read = async (id = 'a') => {
    const answer = await ask(cache, route, async () => okAnswer(String(value())), { params: { id } });
    return { value: Number(answer.body), from: answer.headers['x-cache'] };
  };
  return { db, read };
};

test('whoever changed something reads it at once, other processes at the latest 2 s after, and nobody takes the old answer from Redis', async () => {
  let value = 1;
  const current = () => value;
  const [one, two] = [await startProcess(current), await startProcess(current)];
  expect((await one.read()).value).toBe(1);
  await expect.poll(() => store.redis.dbsize()).toBe(1);
  expect(await two.read()).toEqual({ value: 1, from: 'redis' });

  await one.db.company(newId(), async (tx) => {
    value = 2;
    await publishChange(tx, 'thing', 'a');
  });
  expect((await one.read()).value).toBe(2);
  await expect.poll(async () => (await two.read()).value, { timeout: 2_000, interval: 10 }).toBe(2);

  // A change whose messages were all lost, as when its process was killed right after the commit.
  value = 3;
  await database.owner`insert into hub_change (topic, key) values ('thing', 'a')`;
  for (const other of [one, two])
    await expect.poll(async () => (await other.read()).value, { timeout: 2_000, interval: 10 }).toBe(3);
  const three = await startProcess(current);
  expect((await three.read()).value).toBe(3);
});

test('a change that was rolled back leaves kept answers alone', async () => {
  const one = await startProcess(() => 1);
  await one.read('b');
  await one.db
    .company(newId(), async (tx) => {
      await publishChange(tx, 'thing', 'b');
      throw new Error('no');
    })
    .catch(() => undefined);
  expect((await one.read('b')).from).toBe('memory');
});
