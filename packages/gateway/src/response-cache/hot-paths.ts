import type { Redis } from 'ioredis';

const name = 'hub:{response-hot}:paths';
const maxKept = 100;
const keptSeconds = 7 * 86_400;
const flushIntervalMs = 30_000;

/**
 * Which public addresses are asked for most, over all processes: what a new one fetches before others have to wait for
 * it. Only public addresses, so that the names may be read. Without Redis nothing is remembered, and nothing fails.
 */
export const createHotPaths = (redis: Redis) => {
  const counts = new Map<string, number>();
  const flush = async (): Promise<void> => {
    if (counts.size === 0 || redis.status !== 'ready') return;
    const batch = redis.multi();
    for (const [path, count] of counts) batch.zincrby(name, count, path);
    counts.clear();
    batch.zremrangebyrank(name, 0, -maxKept - 1);
    batch.expire(name, keptSeconds);
    await batch.exec().catch(() => undefined);
  };
  const timer = setInterval(() => void flush(), flushIntervalMs);
  timer.unref();
  return {
    count: (path: string): void => {
      if (counts.size < maxKept || counts.has(path)) counts.set(path, (counts.get(path) ?? 0) + 1);
    },
    /** The hottest first; empty when Redis does not answer. */
    hottest: async (max: number): Promise<string[]> =>
      redis.status === 'ready' ? redis.zrevrange(name, 0, max - 1).catch(() => []) : [],
    stop: async (): Promise<void> => {
      clearInterval(timer);
      await flush();
    },
  };
};
