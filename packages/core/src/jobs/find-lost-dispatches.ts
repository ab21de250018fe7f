import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Claimed } from './claim-jobs.ts';
import { dispatchId } from './queue-names.ts';

/**
 * Of the jobs of one queue whose lease ran out, those that no worker will get any more: Redis forgot them, or the worker
 * that took them is gone. The others only wait for their turn.
 */
export const findLostDispatches = async (redis: Redis, queue: Queue, jobs: readonly Claimed[]): Promise<Claimed[]> => {
  const pipeline = redis.pipeline();
  for (const job of jobs) {
    const key = queue.toKey(dispatchId(job.id, job.generation));
    // BullMQ's lock: a worker has the job. One that lives has the job's row locked as well, so its lease is not here.
    pipeline.exists(key).exists(`${key}:lock`);
  }
  const answers = (await pipeline.exec()) ?? [];
  return jobs.filter((_, index) => {
    const [exists, locked] = [answers[index * 2], answers[index * 2 + 1]];
    const error =
      exists === undefined || locked === undefined ? new Error('Redis did not answer') : (exists[0] ?? locked[0]);
    if (error !== null) throw error;
    return exists?.[1] === 0 || locked?.[1] === 1;
  });
};
