import { setTimeout as pause } from 'node:timers/promises';
import type { Worker } from 'bullmq';
import type { Redis } from 'ioredis';

/** Enough for an orderly end with a Redis that answers; all that is lost with one that does not is courtesy. */
const redisGraceMs = 500;

const grace = <T>(result: T): Promise<T> => pause(redisGraceMs, result, { ref: false });

const answers = async (redis: Redis): Promise<boolean> => {
  if (redis.status !== 'ready') return false;
  const pong = redis.ping().then(
    () => true,
    () => false,
  );
  return Promise.race([pong, grace(false)]);
};

const settled = async (runs: ReadonlySet<Promise<void>>): Promise<void> => {
  while (runs.size > 0) await Promise.all(runs);
};

/**
 * Takes no more jobs and waits for those under way, but never for Redis: BullMQ's own close waits until a connection is
 * back. What a job did is in Postgres, whether Redis hears of it or not.
 *
 * @param runs the runs under way; each leaves the set when it ends
 */
export const closeWorkers = async (
  workers: readonly Worker[],
  redis: Redis,
  runs: ReadonlySet<Promise<void>>,
): Promise<void> => {
  const force = !(await answers(redis));
  const closed = Promise.all(workers.map((worker) => worker.close(force)));
  await settled(runs);
  // Redis may go away just now, and a job may just have been fetched.
  await Promise.race([closed, grace(undefined)]);
  await settled(runs);
};
