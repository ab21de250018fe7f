import { recordAudit } from '@impact-hub/audit';
import type { Clock, Outbox, Tx } from '@impact-hub/core';
import { timeOfId } from '../inbox/receipt-row.ts';
import { deliveryUpdated } from './process-receipt.ts';

type Deps = { outbox: Outbox; clock: Clock };

export type ProcessingFailure = { receiptId: string; error: unknown; willRetry: boolean };

/** Names the fault without quoting data: messages of drivers and parsers can repeat what they choked on. */
const reasonOf = (error: unknown): string => {
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  if (name === 'PermanentJobError') return String(message).slice(0, 300);
  return `${name ?? 'Error'}${typeof code === 'string' ? ` ${code}` : ''}`;
};

/**
 * Shows a failed attempt at processing in the delivery: retrying while another attempt is planned, failed when not.
 * An event that has been processed is left alone.
 */
export const recordFailure = async (tx: Tx, deps: Deps, failure: ProcessingFailure): Promise<void> => {
  const { receiptId, willRetry } = failure;
  const reason = reasonOf(failure.error);
  const now = deps.clock.now();
  const status = willRetry ? 'retrying' : 'failed';
  const [written] = await tx.sql<{ attempts: number; endpointId: string; partner: string }[]>`
    with written as (
      insert into impact_in_delivery as d (
        id, company_id, direction, partner, endpoint_id, event_id, event_type, correlation_id, entity_key,
        status, outcome, attempts, received_at, last_error, updated_at)
      select id, company_id, 'inbound', partner, endpoint_id, event_id, coalesce(event_type, 'unknown'), correlation_id,
             entity_key, ${status}, ${willRetry ? 'waiting' : 'dead'}, 1, received_at, ${reason}, ${now}::timestamptz
      from impact_in_receipt
      where company_id = ${tx.companyId} and received_at = ${new Date(timeOfId(receiptId))} and id = ${receiptId}
      on conflict (id) do update set
        status = excluded.status, outcome = excluded.outcome, attempts = d.attempts + 1,
        last_error = excluded.last_error, updated_at = excluded.updated_at
      where d.processed_at is null
      returning d.id, d.attempts, d.endpoint_id, d.partner, d.company_id
    ), attempt as (
      insert into impact_in_attempt (delivery_id, number, company_id, result, error, at)
      select id, attempts, company_id, 'failure', ${reason}, ${now}::timestamptz from written
    )
    select attempts, endpoint_id as "endpointId", partner from written`;
  if (written === undefined) return;
  if (!willRetry)
    await recordAudit(tx, {
      type: 'impact_in.event.failed',
      category: 'data',
      severity: 'warning',
      result: 'failure',
      actor: { kind: 'system', id: 'impact-in' },
      resource: { type: 'impact_in_delivery', id: receiptId },
      metadata: { partner: written.partner, endpointId: written.endpointId, attempts: written.attempts, reason },
    });
  await deps.outbox.publish(tx, { type: deliveryUpdated, payload: { deliveryId: receiptId } });
};
