import type { Clock, Outbox, Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { deliveryUpdated } from '../deliveries/process-receipt.ts';
import { settleOutbound, type SettlingEvent } from '../outbound/settle-outbound.ts';
import type { PartnerEvent } from '../partners/partner.ts';
import type { DeliveryRow } from '../tables.ts';
import { readStoredEvents, type StoredEvent } from './read-stored-events.ts';
import { lockEntities, resettleEntities, type Entity } from './resettle-entities.ts';

type Deps = { crypto: Crypto; outbox: Outbox; clock: Clock };

type Applied = Pick<
  DeliveryRow,
  'id' | 'partner' | 'eventType' | 'correlationId' | 'entityKey' | 'reported' | 'occurredAt'
>;

const selectApplied = (tx: Tx, ids: readonly string[]): Promise<Applied[]> => tx.sql<Applied[]>`
  select id, partner, event_type as "eventType", correlation_id as "correlationId", entity_key as "entityKey", reported,
         occurred_at as "occurredAt"
  from impact_in_delivery where company_id = ${tx.companyId} and id = any(${ids}::uuid[])`;

const isSame = (before: Applied, event: PartnerEvent): boolean =>
  before.reported === event.status &&
  before.eventType === event.eventType &&
  before.correlationId === event.correlationId &&
  before.entityKey === event.entityKey &&
  before.occurredAt?.getTime() === event.occurredAt.getTime();

const entityOf = (of: Pick<Applied, 'partner' | 'correlationId' | 'entityKey'>): Entity[] =>
  of.entityKey === null ? [] : [{ partner: of.partner, correlationId: of.correlationId, entityKey: of.entityKey }];

/** Lists the attempt; of the delivery itself, nothing but their number changes. */
const recordAttempts = async (tx: Tx, replayId: string, read: readonly StoredEvent[], now: Date): Promise<void> => {
  const attempts = read.map((item) => ({ id: item.id, error: 'reason' in item ? item.reason : null }));
  await tx.sql`
    with attempted as (
      select * from jsonb_to_recordset(${JSON.stringify(attempts)}::text::jsonb) as a (id uuid, error text)
    ), counted as (
      update impact_in_delivery d set attempts = d.attempts + 1, updated_at = ${now}
      from attempted a where d.id = a.id
      returning d.id, d.attempts, a.error
    )
    insert into impact_in_attempt (delivery_id, number, company_id, result, error, at, replay_id)
    select id, attempts, ${tx.companyId}::uuid, case when error is null then 'success' else 'failure' end, error,
           ${now}::timestamptz, ${replayId}::uuid
    from counted`;
};

/** Writes what an event means now in place of what it meant before. Its own status follows from its entity. */
const rewrite = async (tx: Tx, id: string, event: PartnerEvent, now: Date): Promise<void> => {
  await tx.sql`
    update impact_in_delivery d set
      event_type = ${event.eventType}, correlation_id = ${event.correlationId}, entity_key = ${event.entityKey},
      reported = ${event.status}, occurred_at = ${event.occurredAt}, status = ${event.status}, settled_by = null,
      outcome = case when exists (
        select from impact_in_delivery n
        where n.company_id = d.company_id and n.correlation_id = ${event.correlationId} and n.partner = d.partner
          and n.entity_key = ${event.entityKey} and n.direction = 'inbound' and n.processed_at is not null
          and (n.occurred_at, n.id) > (${event.occurredAt}::timestamptz, d.id)) then 'superseded' else 'applied' end,
      updated_at = ${now}
    where d.id = ${id}`;
};

/**
 * Reads the stored bytes of processed deliveries again and applies what they mean today. Where that is what was applied
 * before, nothing changes but the list of attempts; where it is not, as after a mapping was corrected, the delivery and
 * the others of its entity become what they were if it had meant that from the start. Repeating it changes nothing more.
 *
 * @returns for each delivery, why it could not be read; undefined when it was applied
 */
export const applyAgain = async (
  tx: Tx,
  deps: Deps,
  replayId: string,
  ids: readonly string[],
): Promise<Map<string, string | undefined>> => {
  if (ids.length === 0) return new Map();
  const now = deps.clock.now();
  const read = await readStoredEvents(tx, deps.crypto, ids);
  const partners = new Map((await selectApplied(tx, ids)).map(({ id, partner }) => [id, partner]));
  // Locked first, looked at afterwards: only then does nobody change it in between.
  const meant = read.flatMap((item) => {
    const partner = partners.get(item.id);
    return partner === undefined || !('event' in item) ? [] : entityOf({ ...item.event, partner });
  });
  const meantBefore = (await selectApplied(tx, ids)).flatMap(entityOf);
  await lockEntities(tx, [...meant, ...meantBefore]);
  const before = new Map((await selectApplied(tx, ids)).map((delivery) => [delivery.id, delivery]));
  const touched: Entity[] = [];
  const rewritten: SettlingEvent[] = [];
  for (const item of read) {
    const delivery = before.get(item.id);
    if (delivery === undefined || !('event' in item) || isSame(delivery, item.event)) continue;
    await rewrite(tx, item.id, item.event, now);
    rewritten.push({ ...item.event, id: item.id, partner: delivery.partner });
    touched.push(...entityOf(delivery), ...entityOf({ ...item.event, partner: delivery.partner }));
  }
  const changed = await resettleEntities(tx, touched, now);
  changed.push(...(await settleOutbound(tx, rewritten, now)));
  await recordAttempts(tx, replayId, read, now);
  const updated = [...new Set([...ids, ...changed])].map((deliveryId) => ({ deliveryId }));
  await deps.outbox.publishAll(tx, deliveryUpdated, updated);
  return new Map(read.map((item) => [item.id, 'reason' in item ? item.reason : undefined]));
};
