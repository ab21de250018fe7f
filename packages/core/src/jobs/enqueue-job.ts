import type { Job } from '../module/define-job.ts';
import { newId } from '../ids.ts';
import type { Tx } from '../database/transaction.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';

/** Channel on which a transaction with new jobs wakes the relays at its commit. */
export const jobChannel = 'hub_job';

type Enqueue = { companyId?: string | null; runAt?: Date };

/**
 * Puts a job into the outbox inside the caller's transaction: it exists exactly when the transaction commits.
 * A relay hands it to BullMQ; losing Redis loses nothing.
 *
 * @param options.companyId defaults to the transaction's company
 * @returns the job's id
 */
export const enqueueJob = async <P>(
  tx: Tx,
  job: Pick<Job<P, never>, 'name' | 'payload'>,
  payload: P,
  options: Enqueue = {},
): Promise<string> => {
  const id = newId();
  const companyId = options.companyId === undefined ? tx.companyId : options.companyId;
  await tx.sql`
    insert into job (id, company_id, queue, payload, run_at, traceparent)
    values (${id}, ${companyId}, ${job.name}, ${JSON.stringify(job.payload.parse(payload))}::jsonb,
            coalesce(${options.runAt ?? null}::timestamptz, now()), ${currentTraceparent()})`;
  await tx.sql`select pg_notify(${jobChannel}, '')`;
  return id;
};
