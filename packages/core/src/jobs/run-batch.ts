import type { Tx } from '../database/transaction.ts';
import type { BatchFailure } from '../module/define-job.ts';
import { inSpan } from '../telemetry/tracing.ts';
import type { Dispatch } from './queue-names.ts';
import { inContext, lostUntilSetAside, type JobResult, type Run } from './run-job.ts';

export type BatchRun = Omit<Run, 'dispatch'> & { dispatches: readonly Dispatch[] };

/** What became of each, by the job's id; `failed` and `alone` are still to be recorded and run. */
type Batched = { results: Map<string, JobResult>; failed: Map<string, JobResult>; alone: Set<string> };

type LockedRow = { id: string; payload: unknown; attempts: number; lostDispatches: number };

/**
 * LATERAL: one step into the index for each id, whatever the planner believes of the states of so hot a table. SKIP LOCKED:
 * what another worker holds is left to it.
 */
const lockRowsSql = `
  select locked.* from unnest($1::uuid[], $2::int[]) as run (id, generation) cross join lateral (
    select id, payload, attempts, lost_dispatches as "lostDispatches" from job
    where job.id = run.id and job.generation = run.generation and state = 'dispatched' for update skip locked
  ) locked`;

const deleteRowsSql = 'delete from job where id = any($1::uuid[])';

/** Planned for the size of the moment: a plan made for an empty table would be kept for a full one. */
const planned = { prepare: false };

const listOf = (values: readonly (string | number)[]): string => `{${values.join(',')}}`;

const lockRows = (tx: Tx, dispatches: readonly Dispatch[]): Promise<LockedRow[]> => {
  const ids = listOf(dispatches.map(({ id }) => id));
  const generations = listOf(dispatches.map(({ generation }) => generation));
  return tx.sql.unsafe<LockedRow[]>(lockRowsSql, [ids, generations], planned);
};

type Parsed = { jobs: { jobId: string; payload: never; attempt: number }[]; failures: BatchFailure[] };

const parse = (run: BatchRun, rows: readonly LockedRow[]): Parsed => {
  const parsed: Parsed = { jobs: [], failures: [] };
  for (const row of rows) {
    const read = run.job.payload.safeParse(row.payload);
    if (read.success) parsed.jobs.push({ jobId: row.id, payload: read.data as never, attempt: row.attempts + 1 });
    else parsed.failures.push({ jobId: row.id, error: read.error });
  }
  return parsed;
};

const work = async (tx: Tx, run: BatchRun): Promise<Batched> => {
  const batch = run.job.batch;
  if (batch === undefined) throw new TypeError(`${run.job.name} has no batch handler`);
  const rows = await lockRows(tx, run.dispatches);
  const payloads = new Map(rows.map((row) => [row.id, row.payload]));
  const alone = new Set(rows.flatMap((row) => (row.lostDispatches >= lostUntilSetAside ? [row.id] : [])));
  const { jobs, failures } = parse(
    run,
    rows.filter(({ id }) => !alone.has(id)),
  );
  const companyId = run.dispatches[0]?.companyId ?? null;
  if (jobs.length > 0)
    failures.push(...(await batch.handler({ jobs, deps: run.deps, tx, companyId, signal: run.signal })));
  const failed = new Map(
    failures.map(({ jobId, error }): [string, JobResult] => [
      jobId,
      { outcome: 'error', error, payload: payloads.get(jobId) },
    ]),
  );
  const done = jobs.filter(({ jobId }) => !failed.has(jobId)).map(({ jobId }) => jobId);
  if (done.length > 0) await tx.sql.unsafe(deleteRowsSql, [listOf(done)], planned);
  const results = new Map<string, JobResult>(run.dispatches.map(({ id }) => [id, { outcome: 'stale' }]));
  for (const id of done) results.set(id, { outcome: 'done', payload: payloads.get(id) });
  return { results, failed, alone };
};

/**
 * Runs several dispatches of a job in one transaction of their company: the rows are locked and their generations
 * compared first, all effects and the removal of the rows commit together. What fails by itself is left out of it, its
 * row untouched.
 *
 * @throws what the handler or the database threw; nothing has happened then, unless it was the answer to the commit that
 *   was lost
 */
export const runBatch = (run: BatchRun): Promise<Batched> => {
  const [first] = run.dispatches;
  const attributes = { 'hub.jobs': run.dispatches.length };
  return inSpan(`jobs ${run.job.name}`, attributes, first?.traceparent ?? undefined, () =>
    inContext(run.db, first?.companyId ?? null, (tx) => work(tx, run)),
  );
};
