import { setTimeout as pause } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { newId } from '../ids.ts';
import { publishChange, startChangeFeed } from './change-feed.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const listen = async () => {
  const feed = await startChangeFeed(database.db.systemSql);
  const seen: string[] = [];
  feed.subscribe('thing', (key) => seen.push(key));
  return { feed, seen };
};
const until = async (condition: () => boolean): Promise<number> => {
  const startedAtMs = performance.now();
  while (!condition() && performance.now() - startedAtMs < 5_000) await pause(5);
  expect(condition()).toBe(true);
  return performance.now() - startedAtMs;
};

test('a committed change reaches every process, and a rolled-back one none', async () => {
  const [one, two] = [await listen(), await listen()];
  await database.db
    .company(newId(), async (tx) => {
      await publishChange(tx, 'thing', 'rolled-back');
      throw new Error('no');
    })
    .catch(() => undefined);
  await database.db.company(newId(), (tx) => publishChange(tx, 'thing', 'a'));
  await until(() => one.seen.includes('a') && two.seen.includes('a'));
  expect([...one.seen, ...two.seen]).not.toContain('rolled-back');
  await Promise.all([one.feed.stop(), two.feed.stop()]);
});

test('a change whose notification was lost arrives with the poll', async () => {
  const { feed, seen } = await listen();
  await database.owner`insert into hub_change (topic, key) values ('thing', 'silent')`;
  await until(() => seen.includes('silent'));
  await feed.stop();
});

test('a feed that cannot reach Postgres says that it is not current', async () => {
  const { feed } = await listen();
  expect(feed.isCurrent()).toBe(true);
  await feed.stop();
  await pause(2_100);
  expect(feed.isCurrent()).toBe(false);
});

test('after a long suspension the feed is not current, and tells to forget what was cached', async () => {
  const { feed } = await listen();
  const onMissed = vi.fn<() => void>();
  feed.subscribe('thing', () => undefined, onMissed);
  const now = vi.spyOn(Date, 'now').mockImplementation(() => new Date().getTime() + 2 * 3_600_000);
  expect(feed.isCurrent()).toBe(false);
  await until(() => onMissed.mock.calls.length > 0);
  now.mockRestore();
  await feed.stop();
});
