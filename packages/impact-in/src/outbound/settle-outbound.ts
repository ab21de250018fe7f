import type { Tx } from '@impact-hub/core';
import type { DeliveryStatus } from '../tables.ts';
import { lockCorrelations } from './correlation-lock.ts';
import { outlivedError } from './sending/attempt-end.ts';

/** What a partner's webhook said, as an inbound delivery. */
export type SettlingEvent = {
  /** Id of the inbound delivery. */
  id: string;
  partner: string;
  correlationId: string | null;
  status: DeliveryStatus;
  occurredAt: Date;
};

/**
 * Lets events of the transaction's company decide about the outbound deliveries they report on: those whose transaction
 * id, ours or the partner's, is the event's correlation id. The newest event that closes (success, failed) decides, else
 * the newest of all, in whatever order they come; either beats what the API answered, and ends the sending. Repeating
 * it changes nothing; an event that decided and is read differently today decides anew.
 *
 * Call it in the transaction that applies the events, after that has locked what it locks.
 *
 * @returns the outbound deliveries whose status was decided
 */
export const settleOutbound = async (tx: Tx, events: readonly SettlingEvent[], now: Date): Promise<string[]> => {
  const reporting = events.filter(
    (event): event is SettlingEvent & { correlationId: string } => event.correlationId !== null,
  );
  if (!(await lockCorrelations(tx, reporting))) return [];
  const rows = reporting.map(({ id, partner, correlationId, status, occurredAt }) => ({
    id,
    partner,
    correlation: correlationId,
    status,
    at: occurredAt.toISOString(),
  }));
  const settled = await tx.sql<{ id: string }[]>`
    with event as (
      select *, status in ('success', 'failed') as closes
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        as e (id uuid, partner text, correlation text, status text, at timestamptz)
    ), named as (
      select o.delivery_id, event.* from event join impact_in_outbound o
        on o.company_id = ${tx.companyId} and o.partner = event.partner and o.transaction_id = event.correlation
      union
      select o.delivery_id, event.* from event join impact_in_outbound o
        on o.company_id = ${tx.companyId} and o.partner = event.partner and o.partner_transaction_id = event.correlation
    ), deciding as (
      select distinct on (delivery_id) * from named order by delivery_id, closes desc, at desc, id desc
    ), locked as (
      select o.delivery_id, o.event_at, d.status, d.settled_by, d.status in ('success', 'failed') as is_closed
      from impact_in_outbound o join impact_in_delivery d on d.id = o.delivery_id
      where o.delivery_id in (select delivery_id from deciding) order by o.delivery_id for update
    ), applied as (
      select deciding.* from deciding join locked using (delivery_id)
      where case
        when locked.event_at is null then closes or not is_closed
        when locked.settled_by = deciding.id then locked.status <> deciding.status
        when closes then not is_closed or (at, deciding.id) > (locked.event_at, locked.settled_by)
        else not is_closed and (at, deciding.id) > (locked.event_at, locked.settled_by)
      end
    ), ended as (
      update impact_in_outbound o set state = 'done', event_at = applied.at
      from applied where o.delivery_id = applied.delivery_id
    ), outlived as (
      update impact_in_outbound_attempt a set result = 'unknown', error_class = 'lost', error = ${outlivedError}
      from applied where a.delivery_id = applied.delivery_id and a.result = 'started'
    )
    update impact_in_delivery d set
      status = applied.status, settled_by = applied.id, outcome = 'applied', updated_at = ${now},
      processed_at = coalesce(d.processed_at, ${now}),
      last_error = case when applied.status = 'failed' then 'the partner reported a failure' end
    from applied where d.id = applied.delivery_id
    returning d.id`;
  return settled.map(({ id }) => id);
};
