import type { Sql } from 'postgres';

export type Claimed = {
  id: string;
  queue: string;
  generation: number;
  company_id: string | null;
  traceparent: string | null;
};

/**
 * Claims jobs that are due. SKIP LOCKED keeps two relays, and a relay and a worker that is busy with the row, out of
 * each other's way; so it does below.
 */
export const claimQueued = (sql: Sql, leaseSeconds: number, batchSize: number) => sql<Claimed[]>`
  with due as (
    select id from job where state = 'queued' and run_at <= now()
    order by run_at limit ${batchSize} for update skip locked
  )
  update job set
    generation = generation + 1, state = 'dispatched', lease_until = now() + make_interval(secs => ${leaseSeconds})
  from due where job.id = due.id and job.state = 'queued'
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent`;

/** Takes over the jobs whose lease ran out, for one more lease: most of them may only be waiting for their turn. */
export const extendExpired = (sql: Sql, leaseSeconds: number, batchSize: number) => sql<Claimed[]>`
  with expired as (
    select id from job where state = 'dispatched' and lease_until < now()
    limit ${batchSize} for update skip locked
  )
  update job set lease_until = now() + make_interval(secs => ${leaseSeconds})
  from expired where job.id = expired.id and job.state = 'dispatched'
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent`;

/**
 * Starts the next generation of jobs that were dispatched in vain, and counts it: the worker sets a job aside that was
 * lost too often. Only this counts. Waiting long, and dispatches that never reached Redis, are no fault of the job.
 */
export const redispatch = (sql: Sql, lost: readonly Claimed[]) => sql<Claimed[]>`
  with free as (
    select job.id from job
    join unnest(${lost.map((job) => job.id)}::uuid[], ${lost.map((job) => job.generation)}::int[]) as lost (id, generation)
      on job.id = lost.id and job.generation = lost.generation
    where job.state = 'dispatched' for update of job skip locked
  )
  update job set generation = generation + 1, lost_dispatches = lost_dispatches + 1
  from free where job.id = free.id
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent`;

/** Undoes a claim whose jobs did not reach Redis. */
export const giveBack = (sql: Sql, claimed: readonly Claimed[]) => sql`
  update job set state = 'queued', lease_until = null
  from unnest(${claimed.map((job) => job.id)}::uuid[], ${claimed.map((job) => job.generation)}::int[]) as back (id, generation)
  where job.id = back.id and job.generation = back.generation and job.state = 'dispatched'`;
