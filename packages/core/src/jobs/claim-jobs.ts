import type { Sql } from 'postgres';

export type Claimed = {
  id: string;
  queue: string;
  generation: number;
  company_id: string | null;
  traceparent: string | null;
  /** The group it belongs to; null for what an earlier release has dispatched. */
  dispatch: string | null;
};

/** The lane of jobs without company and lane; the index of migration 0015 has it, too. */
export const lastLane = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Before all lanes. */
export const beforeLanes = '00000000-0000-0000-0000-000000000000';

/** Everything here is planned for the sizes of the moment: a plan made for an empty table would be kept for a full one. */
const planned = { prepare: false };

const listQueuesSql = `
  with recursive waiting as (
    (select queue from job where state = 'queued' order by queue limit 1)
    union all
    select (select queue from job where state = 'queued' and queue > waiting.queue order by queue limit 1)
    from waiting where queue is not null
  ) select queue from waiting where queue is not null`;

/** The queues with anything queued. Steps from one to the next in the index, whatever the backlog. */
export const listQueues = async (sql: Sql): Promise<string[]> =>
  (await sql.unsafe<{ queue: string }[]>(listQueuesSql, [], planned)).map(({ queue }) => queue);

const laneSql = `coalesce(lane, company_id, '${lastLane}'::uuid)`;
const nextLaneSql = (after: string): string => `
  select ${laneSql} as name, run_at from job where state = 'queued' and queue = $1 and ${laneSql} > ${after}
  order by ${laneSql}, run_at limit 1`;
const listLanesSql = `
  with recursive waiting as (
    (${nextLaneSql('$2::uuid')})
    union all
    select next.name, next.run_at from waiting cross join lateral (${nextLaneSql('waiting.name')}) next
  ) select name, run_at <= now() as due from waiting limit $3::int`;

/** The next lanes with anything queued, and whether any of it is due. */
export const listLanes = (sql: Sql, queue: string, after: string, limit: number) =>
  sql.unsafe<{ name: string; due: boolean }[]>(listLanesSql, [queue, after, limit], planned);

export type Claim = {
  queue: string;
  lanes: readonly string[];
  /** At most so many of each lane. */
  rowsPerLane: number;
  groupSize: number;
  leaseSeconds: number;
};

const claimQueuedSql = `
  with due as (
    select j.*, wanted as lane from unnest($2::uuid[]) as wanted cross join lateral (
      select id, run_at, coalesce(company_id, wanted) as company from job
      where state = 'queued' and queue = $1 and ${laneSql} = wanted and run_at <= now()
      order by run_at limit $3::int for update skip locked
    ) j
  ), placed as (
    select *, row_number() over (partition by lane order by run_at, id) as turn from due
  ), named as (
    select id, md5($4::text || company || (row_number() over (partition by company order by turn, id) - 1) / $5::int)::uuid as name
    from placed
  )
  update job set
    generation = generation + 1, state = 'dispatched', lease_until = now() + make_interval(secs => $6::float8),
    dispatch = named.name
  from named where job.id = named.id
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent, job.dispatch`;

/**
 * Claims what is due in these lanes, and puts it into groups by company, lanes in turns. SKIP LOCKED keeps two relays, and a relay and a
 * worker that is busy with the row, out of each other's way; so it does below.
 *
 * @param name new for every claim; the names of its groups are made from it
 */
export const claimQueued = (sql: Sql, claim: Claim, name: string) => {
  const { queue, lanes, rowsPerLane, groupSize, leaseSeconds } = claim;
  const list = `{${lanes.join(',')}}`;
  return sql.unsafe<Claimed[]>(claimQueuedSql, [queue, list, rowsPerLane, name, groupSize, leaseSeconds], planned);
};

/** Takes over the jobs whose lease ran out, for one more lease: most of them may only be waiting for their turn. */
export const extendExpired = (sql: Sql, leaseSeconds: number, batchSize: number) => sql<Claimed[]>`
  with expired as (
    select id from job where state = 'dispatched' and lease_until < now()
    limit ${batchSize} for update skip locked
  )
  update job set lease_until = now() + make_interval(secs => ${leaseSeconds})
  from expired where job.id = expired.id and job.state = 'dispatched'
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent, job.dispatch`;

/**
 * Starts the next generation of jobs that were dispatched in vain, each alone: one of a lost group may have ended its
 * worker, and must not take the others along again. Counts it: the worker sets a job aside that was lost too often. Only
 * this counts. Waiting long, and dispatches that never reached Redis, are no fault of the job.
 */
export const redispatch = (sql: Sql, lost: readonly Claimed[]) => sql<Claimed[]>`
  with free as (
    select job.id from job
    join unnest(${lost.map((job) => job.id)}::uuid[], ${lost.map((job) => job.generation)}::int[]) as lost (id, generation)
      on job.id = lost.id and job.generation = lost.generation
    where job.state = 'dispatched' for update of job skip locked
  )
  update job set generation = generation + 1, lost_dispatches = lost_dispatches + 1, dispatch = gen_random_uuid()
  from free where job.id = free.id
  returning job.id, job.queue, job.generation, job.company_id, job.traceparent, job.dispatch`;

/** Undoes a claim whose jobs did not reach Redis. */
export const giveBack = (sql: Sql, claimed: readonly Claimed[]) => sql`
  update job set state = 'queued', lease_until = null
  from unnest(${claimed.map((job) => job.id)}::uuid[], ${claimed.map((job) => job.generation)}::int[]) as back (id, generation)
  where job.id = back.id and job.generation = back.generation and job.state = 'dispatched'`;
