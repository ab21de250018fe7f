import type { Job } from '../module/define-job.ts';
import { newId } from '../ids.ts';
import type { Tx } from '../database/transaction.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';

/** Channel on which a transaction with new jobs wakes the relays at its commit. */
export const jobChannel = 'hub_job';

type Enqueue = { companyId?: string | null; runAt?: Date };

/**
 * Puts jobs into the outbox inside the caller's transaction: they exist exactly when the transaction commits.
 * A relay hands them to BullMQ; losing Redis loses nothing.
 *
 * @param options.companyId defaults to the transaction's company
 * @returns the jobs' ids, in the order of the payloads
 */
export const enqueueJobs = async <P>(
  tx: Tx,
  job: Pick<Job<P, never>, 'name' | 'payload'>,
  payloads: readonly P[],
  options: Enqueue = {},
): Promise<string[]> => {
  if (payloads.length === 0) return [];
  const companyId = options.companyId === undefined ? tx.companyId : options.companyId;
  const rows = payloads.map((payload) => ({ id: newId(), payload: job.payload.parse(payload) }));
  await tx.sql`
    insert into job (id, company_id, queue, payload, run_at, traceparent)
    select id, ${companyId}::uuid, ${job.name}, payload, coalesce(${options.runAt ?? null}::timestamptz, now()),
           ${currentTraceparent()}
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as made (id uuid, payload jsonb)`;
  await tx.sql`select pg_notify(${jobChannel}, '')`;
  return rows.map(({ id }) => id);
};

/** Puts one job into the outbox, see `enqueueJobs`. @returns the job's id */
export const enqueueJob = async <P>(
  tx: Tx,
  job: Pick<Job<P, never>, 'name' | 'payload'>,
  payload: P,
  options: Enqueue = {},
): Promise<string> => {
  const [id] = await enqueueJobs(tx, job, [payload], options);
  return id ?? '';
};
