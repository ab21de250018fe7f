import type { Dispatch, DispatchGroup } from './queue-names.ts';
import { runBatch } from './run-batch.ts';
import { recordFailedRun, runJob, type JobResult, type Run } from './run-job.ts';

export type GroupRun = Omit<Run, 'dispatch'> & { group: DispatchGroup };

type Report = (dispatch: Dispatch, result: JobResult, durationMs: number) => void;

/**
 * One after the other. When not even a failure could be recorded, the database is away, and to find that out for each of
 * the others would take long: they come back when their leases run out.
 */
const runSingly = async (
  run: Omit<Run, 'dispatch'>,
  dispatches: readonly Dispatch[],
  report: Report,
): Promise<void> => {
  let away: JobResult | undefined;
  for (const dispatch of dispatches) {
    const startedAtMs = performance.now();
    const result: JobResult = away ?? (await runJob({ ...run, dispatch }));
    if (result.outcome === 'error') away = { outcome: 'error', error: result.error };
    report(dispatch, result, performance.now() - startedAtMs);
  }
};

/**
 * Runs a group of dispatched jobs: together when their job can, else one by one. A batch that fails as a whole is run
 * one by one as well, so that the one that made it fail is found, and recorded as any failed job; the rows and their
 * generations are compared anew for each, so whatever the batch has done is not done again. Never rejects.
 *
 * @param report called once for each job of the group
 */
export const runGroup = async (run: GroupRun, report: Report): Promise<void> => {
  const { group, ...rest } = run;
  const dispatches = group.jobs.map((job): Dispatch => ({ ...job, companyId: group.companyId }));
  if (run.job.batch === undefined || dispatches.length === 1) return runSingly(rest, dispatches, report);
  const startedAtMs = performance.now();
  try {
    const { results, failed, alone } = await runBatch({ ...rest, dispatches });
    const durationMs = performance.now() - startedAtMs;
    for (const dispatch of dispatches) {
      const { error, payload } = failed.get(dispatch.id) ?? {};
      if (failed.has(dispatch.id))
        report(dispatch, await recordFailedRun({ ...rest, dispatch }, error, payload), durationMs);
      else if (!alone.has(dispatch.id)) report(dispatch, results.get(dispatch.id) ?? { outcome: 'stale' }, durationMs);
    }
    const left = dispatches.filter(({ id }) => alone.has(id));
    return runSingly(rest, left, report);
  } catch {
    return runSingly(rest, dispatches, report);
  }
};
