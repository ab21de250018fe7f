import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Sql } from 'postgres';
import type { Logger } from '../telemetry/logger.ts';
import { jobChannel } from './enqueue-job.ts';
import { dispatchId, queueName, queuePrefix, type Dispatch } from './queue-names.ts';

export type Relay = {
  /** Dispatches everything that is due now; resolves with the number of jobs handed to BullMQ. */
  drain(): Promise<number>;
  stop(): Promise<void>;
};

export type RelayOptions = {
  /** The system role's pool. */
  sql: Sql;
  /** Producer connection: `enableOfflineQueue: false`, so that a lost Redis fails fast. */
  redis: Redis;
  log: Logger;
  /** How long a dispatched job may stay unfinished before it is dispatched again; also the recovery time after FLUSHALL. */
  leaseSeconds?: number;
  batchSize?: number;
  sweepIntervalMs?: number;
  onDispatched?(count: number): void;
};

type Claimed = {
  id: string;
  queue: string;
  generation: number;
  state: string;
  company_id: string | null;
  traceparent: string | null;
};

/** Dispatches without one finished attempt that mark a job as the killer of its worker. */
const crashesUntilDead = 20;

/**
 * Claims due jobs and jobs whose lease ran out, in one statement. SKIP LOCKED keeps two relays, and a relay and a
 * worker that is busy with the row, out of each other's way.
 */
const claim = (sql: Sql, leaseSeconds: number, batchSize: number) => sql<Claimed[]>`
  with queued as (
    select id from job where state = 'queued' and run_at <= now()
    order by run_at limit ${batchSize} for update skip locked
  ), abandoned as (
    select id from job where state = 'dispatched' and lease_until < now()
    limit ${batchSize} for update skip locked
  ), due as (select id from queued union all select id from abandoned)
  update job set
    generation = generation + 1,
    state = case when generation - attempts >= ${crashesUntilDead} then 'dead' else 'dispatched' end,
    last_error = case when generation - attempts >= ${crashesUntilDead}
      then 'dispatched too often without an answer: it may be ending its worker' else last_error end,
    lease_until = now() + make_interval(secs => ${leaseSeconds})
  from due where job.id = due.id and job.state in ('queued', 'dispatched')
  returning job.id, job.queue, job.generation, job.state, job.company_id, job.traceparent`;

const giveBack = (sql: Sql, claimed: readonly Claimed[]) => sql`
  update job set state = 'queued', lease_until = null
  from unnest(${claimed.map((job) => job.id)}::uuid[], ${claimed.map((job) => job.generation)}::int[]) as back (id, generation)
  where job.id = back.id and job.generation = back.generation and job.state = 'dispatched'`;

const toDispatch = (job: Claimed): Dispatch => ({
  id: job.id,
  generation: job.generation,
  companyId: job.company_id,
  traceparent: job.traceparent,
});

const byQueue = (claimed: readonly Claimed[]): Map<string, Claimed[]> => {
  const groups = new Map<string, Claimed[]>();
  for (const job of claimed) {
    const group = groups.get(job.queue);
    if (group === undefined) groups.set(job.queue, [job]);
    else group.push(job);
  }
  return groups;
};

/**
 * Moves jobs from the outbox (table `job`) to BullMQ. Woken by NOTIFY; a sweep each second is the truth. The claim
 * commits first: a relay that dies before it has enqueued leaves a lease behind that runs out.
 */
export const startRelay = async (options: RelayOptions): Promise<Relay> => {
  const { sql, redis, log, leaseSeconds = 60, batchSize = 500, sweepIntervalMs = 1_000 } = options;
  const queues = new Map<string, Queue>();
  const queueFor = (name: string): Queue => {
    let queue = queues.get(name);
    if (queue === undefined) {
      queue = new Queue(queueName(name), { connection: redis, prefix: queuePrefix, skipMetasUpdate: true });
      queue.on('error', () => undefined);
      queues.set(name, queue);
    }
    return queue;
  };

  const dispatch = async (claimed: readonly Claimed[]): Promise<void> => {
    for (const [name, jobs] of byQueue(claimed)) {
      try {
        await queueFor(name).addBulk(
          jobs.map((job) => ({
            name,
            data: toDispatch(job),
            opts: {
              jobId: dispatchId(job.id, job.generation),
              removeOnComplete: true,
              removeOnFail: true,
              attempts: 1,
            },
          })),
        );
      } catch (error) {
        await giveBack(sql, jobs);
        throw error;
      }
    }
  };

  const drain = async (): Promise<number> => {
    let total = 0;
    for (;;) {
      if (redis.status !== 'ready') return total;
      const claimed = await claim(sql, leaseSeconds, batchSize);
      const live = claimed.filter((job) => job.state === 'dispatched');
      await dispatch(live);
      total += live.length;
      options.onDispatched?.(live.length);
      if (claimed.length < batchSize) return total;
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
      await Promise.all([...queues.values()].map((queue) => queue.close().catch(() => undefined)));
    },
  };
};
