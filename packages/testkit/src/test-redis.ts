import { Redis } from 'ioredis';
import { inject } from 'vitest';

export type TestRedis = { url: string; redis: Redis; close(): Promise<void> };

const databasesOfRedis = 16;

/** A Redis logical database of this test file's own, emptied. */
export const createTestRedis = async (): Promise<TestRedis> => {
  const { redisUrl } = inject('stores');
  const counter = new Redis(redisUrl);
  const number = (await counter.incr('testkit:next')) % (databasesOfRedis - 1);
  await counter.quit();
  const url = `${redisUrl}/${number + 1}`;
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  await redis.flushdb();
  return {
    url,
    redis,
    close: async () => {
      await redis.quit();
    },
  };
};
