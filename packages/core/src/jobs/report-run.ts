import type { Logger } from '../telemetry/logger.ts';
import type { JobMetrics } from '../telemetry/metrics.ts';
import type { Dispatch } from './queue-names.ts';
import type { JobOutcome, JobResult } from './run-job.ts';

type Run = { job: string; dispatch: Dispatch; result: JobResult; durationMs: number };

const levels: Readonly<Record<JobOutcome, 'info' | 'warn' | 'error'>> = {
  done: 'info',
  stale: 'info',
  retrying: 'warn',
  dead: 'error',
  error: 'error',
};

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Payloads hold ids only, by contract; the log does not depend on it. */
const idsOf = (payload: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(payload ?? {}).filter((entry): entry is [string, string] => uuid.test(String(entry[1]))),
  );

/** Writes the one line of a run, with the ids that lead from a webhook's receipt to its job, and counts it. */
export const reportRun = (to: { log: Logger; metrics: JobMetrics }, run: Run): void => {
  const { outcome, error, payload } = run.result;
  to.metrics.observe(run.job, outcome, run.durationMs);
  to.log[levels[outcome]](
    {
      event: 'job',
      job: run.job,
      jobId: run.dispatch.id,
      companyId: run.dispatch.companyId,
      ids: idsOf(payload),
      outcome,
      durationMs: run.durationMs,
      ...(error === undefined ? {} : { err: error }),
    },
    'job',
  );
};
