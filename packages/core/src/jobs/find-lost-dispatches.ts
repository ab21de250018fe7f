import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Claimed } from './claim-jobs.ts';

/** Whether no worker will get the dispatch any more, for each. */
const areLost = async (redis: Redis, queue: Queue, dispatches: readonly string[]): Promise<boolean[]> => {
  const pipeline = redis.pipeline();
  for (const dispatch of dispatches) {
    const key = queue.toKey(dispatch);
    // BullMQ's lock: a worker has the group. One that lives has the rows locked as well, so their leases are not here.
    // What it has to run one by one after a failure may be here; the new generation then keeps it from running twice.
    pipeline.exists(key).exists(`${key}:lock`);
  }
  const answers = (await pipeline.exec()) ?? [];
  return dispatches.map((_, index) => {
    const [exists, locked] = [answers[index * 2], answers[index * 2 + 1]];
    const error =
      exists === undefined || locked === undefined ? new Error('Redis did not answer') : (exists[0] ?? locked[0]);
    if (error !== null) throw error;
    return exists?.[1] === 0 || locked?.[1] === 1;
  });
};

/**
 * Of the jobs of one queue whose lease ran out, those that no worker will get any more: Redis forgot their group, or the
 * worker that took it is gone. The others only wait for their turn.
 */
export const findLostDispatches = async (redis: Redis, queue: Queue, jobs: readonly Claimed[]): Promise<Claimed[]> => {
  const dispatches = [...new Set(jobs.flatMap(({ dispatch }) => dispatch ?? []))];
  const lost = await areLost(redis, queue, dispatches);
  const kept = new Set<string | null>(dispatches.filter((_, index) => lost[index] === false));
  return jobs.filter(({ dispatch }) => !kept.has(dispatch));
};
