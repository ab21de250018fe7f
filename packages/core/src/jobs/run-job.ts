import type { Database } from '../database/connect-database.ts';
import type { Tx } from '../database/transaction.ts';
import { PermanentJobError, type Job } from '../module/define-job.ts';
import { inSpan } from '../telemetry/tracing.ts';
import type { Dispatch } from './queue-names.ts';
import { retryDelayMs } from './retry-delay.ts';

/** `error`: neither the effect nor the failure could be recorded; the job comes back when its lease runs out. */
export type JobOutcome = 'done' | 'stale' | 'retrying' | 'dead' | 'error';

/** `payload` is what the row held; undefined when it was not read. */
export type JobResult = { outcome: JobOutcome; error?: unknown; payload?: unknown };

/** Dispatches that ended without an answer after which a job counts as the killer of its workers. */
export const lostUntilSetAside = 20;

type JobRow = { payload: unknown; attempts: number; lostDispatches: number };

export type Run = {
  db: Database;
  job: Job<never, unknown>;
  deps: unknown;
  dispatch: Dispatch;
  signal: AbortSignal;
  random: () => number;
};

export const inContext = <T>(db: Database, companyId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> =>
  companyId === null ? db.system(work) : db.company(companyId, work);

/** SKIP LOCKED: a second worker holding a dispatch of the same job finds nothing and leaves. */
const lockRow = async (tx: Tx, run: Pick<Run, 'dispatch'>): Promise<JobRow | undefined> => {
  const [row] = await tx.sql<JobRow[]>`
    select payload, attempts, lost_dispatches as "lostDispatches" from job
    where id = ${run.dispatch.id} and generation = ${run.dispatch.generation} and state = 'dispatched'
    for update skip locked`;
  return row;
};

const errorText = (error: unknown): string =>
  (error instanceof Error ? `${error.name}: ${error.message}` : String(error)).slice(0, 1_000);

const fail = async (run: Omit<Run, 'signal'>, error: unknown): Promise<JobOutcome> => {
  const { id, companyId } = run.dispatch;
  return inContext(run.db, companyId, async (tx) => {
    const row = await lockRow(tx, run);
    if (row === undefined) return 'stale';
    const attempt = row.attempts + 1;
    const delayMs =
      error instanceof PermanentJobError ? undefined : retryDelayMs(run.job.retryDelaysSeconds, attempt, run.random);
    const willRetry = delayMs !== undefined;
    await tx.sql`
      update job set attempts = ${attempt}, last_error = ${errorText(error)}, lease_until = null,
        state = ${willRetry ? 'queued' : 'dead'}, run_at = now() + make_interval(secs => ${(delayMs ?? 0) / 1_000}),
        finished_at = case when ${willRetry} then null else now() end
      where id = ${id}`;
    const payload = row.payload as never;
    await run.job.onFailure?.({ payload, deps: run.deps, tx, jobId: id, companyId, attempt, error, willRetry });
    return willRetry ? 'retrying' : 'dead';
  });
};

/** Records a failed attempt in a transaction of its own: a retry is planned, or the job is dead. Never rejects. */
export const recordFailedRun = async (
  run: Omit<Run, 'signal'>,
  error: unknown,
  payload: unknown,
): Promise<JobResult> => {
  try {
    return { outcome: await fail(run, error), error, payload };
  } catch (cause) {
    return {
      outcome: 'error',
      error: new Error(`a failure was not recorded: ${errorText(error)}`, { cause }),
      payload,
    };
  }
};

/**
 * Runs one dispatch of a job. The row is locked and its generation compared first, the handler's effects and the
 * removal of the row commit together: whatever BullMQ repeats or a crash leaves behind, the effect happens once.
 * A job that was lost too often is not run any more; it fails for good, so that its domain, the log and the metrics tell.
 * Never rejects.
 */
export const runJob = async (run: Run): Promise<JobResult> => {
  const { id, companyId, traceparent } = run.dispatch;
  let payload: unknown;
  try {
    const outcome = await inSpan(`job ${run.job.name}`, { 'hub.job_id': id }, traceparent ?? undefined, () =>
      inContext(run.db, companyId, async (tx): Promise<JobOutcome> => {
        const row = await lockRow(tx, run);
        if (row === undefined) return 'stale';
        payload = row.payload;
        if (row.lostDispatches >= lostUntilSetAside)
          throw new PermanentJobError(`set aside: ${row.lostDispatches} dispatches were lost, it may end its worker`);
        await run.job.handler({
          payload: run.job.payload.parse(row.payload) as never,
          deps: run.deps,
          tx,
          jobId: id,
          companyId,
          attempt: row.attempts + 1,
          signal: run.signal,
        });
        await tx.sql`delete from job where id = ${id}`;
        return 'done';
      }),
    );
    return { outcome, payload };
  } catch (error) {
    return recordFailedRun(run, error, payload);
  }
};
