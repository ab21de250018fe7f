import type { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import type { Logger } from '../telemetry/logger.ts';
import { createTurns } from './claim-in-turns.ts';
import { extendExpired, redispatch } from './claim-jobs.ts';
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
  /** Jobs of one queue that may wait in BullMQ; the others wait in PostgreSQL, where companies take turns. */
  windowJobs?: number;
  /** How many jobs of one company a queue's worker runs together; default 1. */
  groupSizes?: ReadonlyMap<string, number>;
  onDispatched?(count: number): void;
};

/** While workers have enough to do, the relay looks this often whether they still have. */
const fullIntervalMs = 25;

/**
 * Moves jobs from the outbox (table `job`) to BullMQ. Woken by NOTIFY; a sweep each second is the truth. The claim
 * commits first: a relay that dies before it has enqueued leaves a lease behind that runs out. No more is handed over than
 * workers need to stay busy.
 */
export const startRelay = async (options: RelayOptions): Promise<Relay> => {
  const { sql, redis, log, leaseSeconds = 60, batchSize = 1_000, sweepIntervalMs = 1_000 } = options;
  const queues = openQueues(sql, redis);
  const takeTurn = createTurns(sql, {
    leaseSeconds,
    batchSize,
    windowJobs: options.windowJobs ?? 1_000,
    groupSizeOf: (queue) => options.groupSizes?.get(queue) ?? 1,
    queues,
  });

  const pass = async (): Promise<{ count: number; more: boolean; full: boolean }> => {
    const expired = await extendExpired(sql, leaseSeconds, batchSize);
    const again = expired.length === 0 ? [] : await redispatch(sql, await queues.findLost(expired));
    if (again.length > 0) await queues.dispatch(again);
    const turn = await takeTurn();
    const count = again.length + turn.count;
    options.onDispatched?.(count);
    return { count, more: turn.more || expired.length === batchSize, full: turn.full };
  };

  let fullTimer: NodeJS.Timeout | undefined;
  const drain = async (): Promise<number> => {
    let total = 0;
    for (;;) {
      if (redis.status !== 'ready') return total;
      const { count, more, full } = await pass();
      total += count;
      if (more) continue;
      if (full && !stopped) fullTimer ??= setTimeout(lookAgain, fullIntervalMs);
      return total;
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

  const lookAgain = (): void => {
    fullTimer = undefined;
    wake();
  };

  const listener = await sql.listen(jobChannel, wake);
  const timer = setInterval(wake, sweepIntervalMs);
  wake();

  return {
    drain,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      clearTimeout(fullTimer);
      await listener.unlisten().catch(() => undefined);
      await running;
      await queues.close();
    },
  };
};
