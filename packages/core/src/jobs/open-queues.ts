import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import { giveBack, type Claimed } from './claim-jobs.ts';
import { findLostDispatches } from './find-lost-dispatches.ts';
import { byQueue, inTurns } from './group-claimed.ts';
import { queueName, queuePrefix, type DispatchGroup } from './queue-names.ts';

export type Queues = {
  /** Hands claimed jobs to BullMQ, by groups. @throws when Redis fails; the jobs it did not take are queued again */
  dispatch(claimed: readonly Claimed[]): Promise<void>;
  /** Of jobs whose lease ran out, those that no worker will get any more. @throws when Redis fails */
  findLost(expired: readonly Claimed[]): Promise<Claimed[]>;
  /** Groups of the queue that no worker has taken yet. @throws when Redis fails */
  countWaiting(queue: string): Promise<number>;
  close(): Promise<void>;
};

const toGroup = (jobs: readonly Claimed[]): DispatchGroup => ({
  companyId: jobs[0]?.company_id ?? null,
  jobs: jobs.map(({ id, generation, traceparent }) => ({ id, generation, traceparent })),
});

/** The relay's side of BullMQ: one queue for each name, opened when it is first needed. */
export const openQueues = (sql: Sql, redis: Redis): Queues => {
  const queues = new Map<string, Queue>();
  const queueFor = (name: string): Queue => {
    let queue = queues.get(name);
    if (queue === undefined) {
      // Without the version check, whose failure would stay with the queue for ever.
      const skip = { skipMetasUpdate: true, skipVersionCheck: true };
      queue = new Queue(queueName(name), { connection: redis, prefix: queuePrefix, ...skip });
      queue.on('error', () => undefined);
      queues.set(name, queue);
    }
    return queue;
  };

  const dispatch = async (claimed: readonly Claimed[]): Promise<void> => {
    const waiting = byQueue(claimed);
    for (const [name, jobs] of waiting) {
      try {
        await queueFor(name).addBulk(
          inTurns(jobs).map((group) => ({
            name,
            data: toGroup(group),
            opts: {
              jobId: group[0]?.dispatch ?? '',
              removeOnComplete: true,
              removeOnFail: true,
              attempts: 1,
            },
          })),
        );
        waiting.delete(name);
      } catch (error) {
        await giveBack(sql, [...waiting.values()].flat());
        throw error;
      }
    }
  };

  const findLost = async (expired: readonly Claimed[]): Promise<Claimed[]> => {
    const lost: Claimed[] = [];
    for (const [name, jobs] of byQueue(expired)) lost.push(...(await findLostDispatches(redis, queueFor(name), jobs)));
    return lost;
  };

  return {
    dispatch,
    findLost,
    countWaiting: (name) => redis.llen(queueFor(name).toKey('wait')),
    close: async () => {
      await Promise.all([...queues.values()].map((queue) => queue.close().catch(() => undefined)));
    },
  };
};
