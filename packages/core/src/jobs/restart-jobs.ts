import type { Tx } from '../database/transaction.ts';
import type { Job } from '../module/define-job.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import { jobChannel } from './enqueue-job.ts';

/**
 * Makes jobs due now: one that waits or was given up goes on with its count of attempts, one that is gone is made again
 * under the same id, one that is dispatched is left alone. So there is never a second job for the same work, provided
 * that its id was derived from that work, as the job of a receipt has the receipt's id.
 *
 * Call it before the transaction locks rows that the jobs' handlers write: it may have to wait for one that is running.
 */
export const restartJobs = async <P>(
  tx: Tx,
  job: Pick<Job<P, never>, 'name' | 'payload'>,
  jobs: readonly { id: string; payload: P }[],
): Promise<void> => {
  if (jobs.length === 0) return;
  const rows = jobs.map(({ id, payload }) => ({ id, payload: job.payload.parse(payload) }));
  await tx.sql`
    insert into job (id, company_id, queue, payload, traceparent)
    select distinct on (wanted.id) wanted.id, ${tx.companyId}::uuid, ${job.name}, wanted.payload, ${currentTraceparent()}
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as wanted (id uuid, payload jsonb)
    where not exists (select from job where job.id = wanted.id and job.state = 'dispatched')
    order by wanted.id
    on conflict (id) do update set
      state = 'queued', run_at = now(), lease_until = null, finished_at = null, lost_dispatches = 0
    where job.state in ('queued', 'dead') and job.queue = excluded.queue`;
  await tx.sql`select pg_notify(${jobChannel}, '')`;
};
