import { Redis } from 'ioredis';
import { inject } from 'vitest';

export type TestRedis = { url: string; redis: Redis; close(): Promise<void> };

/** Logical databases of the server all test files share: more than one run needs, for none is given out twice. */
export const databasesOfRedis = 4_096;

/** Commands whose effect does not end at one's own database. */
const sharedEffects = ['flushall', 'swapdb', 'config|set', 'script|flush', 'client|kill', 'client|pause', 'debug'];

/** Makes the shared server refuse what would reach other test files; a test that needs it starts its own server. */
export const forbidSharedEffects = async (redisUrl: string): Promise<void> => {
  const redis = new Redis(redisUrl);
  await redis.acl('SETUSER', 'default', ...sharedEffects.map((command) => `-${command}`));
  await redis.quit();
};

/** Counts in database 0, which no test file is given and so none can empty. */
const nextDatabase = async (redisUrl: string): Promise<number> => {
  const counter = new Redis(redisUrl);
  const number = await counter.incr('testkit:next');
  await counter.quit();
  if (number < databasesOfRedis) return number;
  throw new Error(
    `All ${databasesOfRedis} databases of the test Redis are given out: start the run again, or raise databasesOfRedis.`,
  );
};

/**
 * An empty Redis logical database of this test file's own, on a server that all share.
 * @throws Error when the run has used them all.
 */
export const createTestRedis = async (): Promise<TestRedis> => {
  const { redisUrl } = inject('stores');
  const url = `${redisUrl}/${await nextDatabase(redisUrl)}`;
  const redis = new Redis(url, { maxRetriesPerRequest: null });
  return {
    url,
    redis,
    close: async () => {
      await redis.quit();
    },
  };
};
