import { expect, test } from 'vitest';
import { createTestRedis } from './test-redis.ts';

test('every caller has an empty database of its own, which another emptying its own leaves alone', async () => {
  const stores = await Promise.all(Array.from({ length: 20 }, createTestRedis));
  expect(new Set(stores.map(({ url }) => url)).size).toBe(20);
  expect(await Promise.all(stores.map(({ redis }) => redis.dbsize()))).toEqual(stores.map(() => 0));
  await Promise.all(stores.map(({ redis }) => redis.set('mine', '1')));
  await stores[0]?.redis.flushdb();
  const left = await Promise.all(stores.map(({ redis }) => redis.exists('mine')));
  expect(left).toEqual(stores.map((_store, index) => (index === 0 ? 0 : 1)));
  await Promise.all(stores.map((store) => store.close()));
});

test.each([
  ['FLUSHALL'],
  ['CONFIG', 'SET', 'maxmemory', '1'],
  ['SCRIPT', 'FLUSH'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
])('the shared server refuses %s, which would reach other tests', async (command, ...rest) => {
  const store = await createTestRedis();
  await expect(store.redis.call(command, ...rest)).rejects.toThrow(/^NOPERM/);
  await store.close();
});
