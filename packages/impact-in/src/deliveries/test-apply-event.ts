import type { Tx } from '@impact-hub/core';
import type { PartnerEvent } from '../partners/partner.ts';
import type { ReceivedEvent } from './apply-events.ts';

export type Applied = {
  /** Null when the event had been processed before: nothing was done. */
  status: PartnerEvent['status'] | null;
  superseded: boolean;
  /** Earlier deliveries of the entity that took over this event's status. */
  settledIds: string[];
};

/** One transaction at a time per entity of a company, so that "newest" is the same for everybody. */
const lockEntity = (tx: Tx, receipt: ReceivedEvent['receipt'], entityKey: string) =>
  tx.sql`select pg_advisory_xact_lock(hashtextextended(${`${receipt.companyId} ${receipt.partner} ${entityKey}`}, 0))`;

/**
 * Writes what an event means for its entity. Every event is one delivery; events of one entity are ordered by the
 * time they occurred, then by receipt, in whatever order they are processed:
 *
 * - the newest event settles the entity's earlier deliveries that are open (pending, retrying): they take its status;
 * - an event older than one already applied is superseded: if it is open itself, it takes the newer one's status;
 * - what was closed (success, failed) stays as it was: that is history.
 *
 * Repeating it for a processed event changes nothing.
 *
 * The reference that tests hold `applyEvents` against: one event, one statement.
 */
export const applyEvent = async (
  tx: Tx,
  receipt: ReceivedEvent['receipt'],
  event: PartnerEvent,
  now: Date,
): Promise<Applied> => {
  if (event.entityKey !== null) await lockEntity(tx, receipt, event.entityKey);
  const sameEntity = tx.sql`
    d.company_id = ${receipt.companyId} and d.correlation_id = ${event.correlationId} and d.partner = ${receipt.partner}
    and d.entity_key = ${event.entityKey} and d.direction = 'inbound' and d.processed_at is not null`;
  const moment = tx.sql`(${event.occurredAt}::timestamptz, ${receipt.id}::uuid)`;
  const isOpen = event.status === 'pending' || event.status === 'retrying';
  const [row] = await tx.sql<{ status: PartnerEvent['status'] | null; superseded: boolean; settledIds: string[] }[]>`
    with newer as (
      select d.id, d.status from impact_in_delivery d where ${sameEntity} and (d.occurred_at, d.id) > ${moment}
      order by d.occurred_at desc, d.id desc limit 1
    ), written as (
      insert into impact_in_delivery as d (
        id, company_id, direction, partner, endpoint_id, event_id, event_type, correlation_id, entity_key,
        status, reported, outcome, attempts, occurred_at, received_at, processed_at, settled_by, updated_at)
      values (
        ${receipt.id}, ${receipt.companyId}, 'inbound', ${receipt.partner}, ${receipt.endpointId}, ${receipt.eventId},
        ${event.eventType}, ${event.correlationId}, ${event.entityKey},
        ${isOpen ? tx.sql`coalesce((select status from newer), ${event.status})` : event.status}, ${event.status},
        case when exists (select from newer) then 'superseded' else 'applied' end,
        1, ${event.occurredAt}, ${receipt.receivedAt}, ${now},
        ${isOpen ? tx.sql`(select id from newer)` : null}, ${now})
      on conflict (id) do update set
        status = excluded.status, reported = excluded.reported, outcome = excluded.outcome, attempts = d.attempts + 1,
        occurred_at = excluded.occurred_at, processed_at = excluded.processed_at, settled_by = excluded.settled_by,
        last_error = null, updated_at = excluded.updated_at
      where d.processed_at is null
      returning d.id, d.status, d.outcome, d.attempts
    ), attempt as (
      insert into impact_in_attempt (delivery_id, number, company_id, result, at)
      select id, attempts, ${receipt.companyId}::uuid, 'success', ${now}::timestamptz from written
    ), settled as (
      update impact_in_delivery d set status = ${event.status}, settled_by = ${receipt.id}, updated_at = ${now}
      where ${sameEntity} and (d.occurred_at, d.id) < ${moment} and d.status in ('pending', 'retrying')
        and not exists (select from newer) and exists (select from written)
      returning d.id
    )
    select (select status from written) as status, exists (select from newer) as superseded,
           coalesce((select array_agg(id) from settled), '{}') as "settledIds"`;
  return row ?? { status: null, superseded: false, settledIds: [] };
};
