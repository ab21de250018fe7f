import type { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import type { Logger } from '../telemetry/logger.ts';
import { claimQueued, extendExpired, redispatch } from './claim-jobs.ts';
import { jobChannel } from './enqueue-job.ts';
import { openQueues } from './open-queues.ts';

export type Relay = {
  /** Dispatches everything that is due now; resolves with the number of jobs handed to BullMQ. */
  drain(): Promise<number>;
  stop(): Promise<void>;
};

export type RelayOptions = {
  /** The system role's pool. */
  sql: Sql;
  /** Producer connection: `enableOfflineQueue: false` and a `commandTimeout`, so that a lost or hung Redis fails fast. */
  redis: Redis;
  log: Logger;
  /**
   * How long a dispatched job may stay unfinished until the relay sees whether a worker will still get it, and dispatches
   * it again if not; also the recovery time after FLUSHALL.
   */
  leaseSeconds?: number;
  batchSize?: number;
  sweepIntervalMs?: number;
  onDispatched?(count: number): void;
};

/**
 * Moves jobs from the outbox (table `job`) to BullMQ. Woken by NOTIFY; a sweep each second is the truth. The claim
 * commits first: a relay that dies before it has enqueued leaves a lease behind that runs out.
 */
export const startRelay = async (options: RelayOptions): Promise<Relay> => {
  const { sql, redis, log, leaseSeconds = 60, batchSize = 500, sweepIntervalMs = 1_000 } = options;
  const queues = openQueues(sql, redis);

  const drain = async (): Promise<number> => {
    let total = 0;
    for (;;) {
      if (redis.status !== 'ready') return total;
      const expired = await extendExpired(sql, leaseSeconds, batchSize);
      const again = await redispatch(sql, await queues.findLost(expired));
      const queued = await claimQueued(sql, leaseSeconds, batchSize);
      const due = [...again, ...queued];
      await queues.dispatch(due);
      total += due.length;
      options.onDispatched?.(due.length);
      if (expired.length < batchSize && queued.length < batchSize) return total;
    }
  };

  let stopped = false;
  let running: Promise<void> | undefined;
  let again = false;
  const wake = (): void => {
    if (stopped) return;
    again = true;
    running ??= (async () => {
      while (again && !stopped) {
        again = false;
        await drain().catch((error: unknown) => log.warn({ event: 'relay.failed', err: error }, 'relay pass failed'));
      }
      running = undefined;
    })();
  };

  const listener = await sql.listen(jobChannel, wake);
  const timer = setInterval(wake, sweepIntervalMs);
  wake();

  return {
    drain,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await listener.unlisten().catch(() => undefined);
      await running;
      await queues.close();
    },
  };
};
