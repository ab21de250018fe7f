import type { Tx } from '@impact-hub/core';
import type { PartnerEvent } from '../partners/partner.ts';
import type { ReceiptRecord } from '../tables.ts';
import { isOpen, settleEntity, type Placed, type Settled, type Written } from './settle-entity.ts';

export type ReceivedEvent = {
  receipt: Pick<ReceiptRecord, 'id' | 'companyId' | 'partner' | 'endpointId' | 'eventId' | 'receivedAt'>;
  event: PartnerEvent;
};

export type Applied = {
  /** The deliveries of the events that had not been processed before, by id. */
  written: ReadonlyMap<string, Written>;
  /** Earlier deliveries that took over the status of one of the events. */
  settledIds: string[];
};

/** Planned for the sizes of the moment: a plan made for an empty table would be kept for a full one. */
const planned = { prepare: false };

const entityOf = ({ receipt, event }: ReceivedEvent): string | null =>
  event.entityKey === null ? null : `${receipt.companyId} ${receipt.partner} ${event.entityKey}`;

/**
 * One transaction at a time per entity of a company, so that "newest" is the same for everybody; in one order for all
 * transactions, since several of them wait for several entities.
 */
const lockEntities = async (tx: Tx, entities: Iterable<string>): Promise<void> => {
  const names = [...entities];
  if (names.length > 0)
    await tx.sql`
      select pg_advisory_xact_lock(key) from (
        select distinct hashtextextended(entity, 0) as key
        from jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb) as entity order by key offset 0
      ) as keys`;
};

/**
 * What was processed before, and of each entity the newest delivery and the open ones. LATERAL with OFFSET 0: one step into
 * the index of ids, or of correlations, for each row of the input, however few rows, and whatever other index, the planner
 * believes in.
 */
const readKnownSql = `
  with entity as (select * from jsonb_to_recordset($3::text::jsonb) as e(n int4, pa text, ci text, ek text)),
  placed as (
    select e.n, d.*, row_number() over (partition by e.n order by d.occurred_at desc, d.id desc) = 1 as is_newest
    from entity e cross join lateral (
      select id, status, occurred_at, partner, entity_key, direction, processed_at from impact_in_delivery
      where company_id = $1 and correlation_id = e.ci offset 0) d
    where d.partner = e.pa and d.entity_key = e.ek and d.direction = 'inbound' and d.processed_at is not null
  )
  select null::int4 as n, d.id, d.status, 0::float8 as at, false as "isNewest"
  from unnest($2::uuid[]) as event cross join lateral (
    select id, status from impact_in_delivery where id = event and processed_at is not null offset 0) d
  union all
  select n, id, status, (extract(epoch from occurred_at) * 1000)::float8, is_newest
  from placed where is_newest or status in ('pending', 'retrying')`;

type KnownRow = Pick<Placed, 'id' | 'status'> & { n: number | null; at: number; isNewest: boolean };
type Known = { processed: Set<string>; newest: Map<number, Placed>; open: Map<number, Placed[]> };

/** Entities as they are processed together; their numbers stand for them in the statement. */
const readKnown = async (
  tx: Tx,
  received: readonly ReceivedEvent[],
  byEntity: ReadonlyMap<string, readonly ReceivedEvent[]>,
): Promise<Known> => {
  const input = [...byEntity.values()].map(([first], n) => ({
    n,
    pa: first?.receipt.partner,
    ci: first?.event.correlationId,
    ek: first?.event.entityKey,
  }));
  const ids = `{${received.map(({ receipt }) => receipt.id).join(',')}}`;
  const rows = await tx.sql.unsafe<KnownRow[]>(readKnownSql, [tx.companyId, ids, JSON.stringify(input)], planned);
  const known: Known = { processed: new Set(), newest: new Map(), open: new Map() };
  for (const { n, id, status, at, isNewest } of rows) {
    const placed = { id, status, occurredAtMs: at };
    if (n === null) {
      known.processed.add(id);
      continue;
    }
    if (isNewest) known.newest.set(n, placed);
    if (isOpen(status) && known.open.get(n)?.push(placed) === undefined) known.open.set(n, [placed]);
  }
  return known;
};

const writeSql = `
  with written as (
    insert into impact_in_delivery as d (
      id, company_id, direction, partner, endpoint_id, event_id, event_type, correlation_id, entity_key,
      status, reported, outcome, attempts, occurred_at, received_at, processed_at, settled_by, updated_at)
    select id, $1::uuid, 'inbound', pa, ep, ei, et, ci, ek, st, rp, oc, 1, oa, ra, $2::timestamptz, sb, $2::timestamptz
    from jsonb_to_recordset($3::text::jsonb) as r(id uuid, pa text, ep uuid, ei text, et text, ci text, ek text, st text,
      rp text, oc text, oa timestamptz, ra timestamptz, sb uuid)
    on conflict (id) do update set
      status = excluded.status, reported = excluded.reported, outcome = excluded.outcome, attempts = d.attempts + 1,
      occurred_at = excluded.occurred_at, processed_at = excluded.processed_at, settled_by = excluded.settled_by,
      last_error = null, updated_at = excluded.updated_at
    where d.processed_at is null
    returning d.id, d.attempts
  ), attempt as (
    insert into impact_in_attempt (delivery_id, number, company_id, result, at)
    select id, attempts, $1::uuid, 'success', $2::timestamptz from written
  )
  select id from written`;

/** @returns the ids of those that nobody has processed meanwhile */
const writeDeliveries = async (
  tx: Tx,
  events: ReadonlyMap<string, ReceivedEvent>,
  deliveries: readonly Written[],
  now: Date,
): Promise<Set<string>> => {
  const rows = deliveries.flatMap((delivery) => {
    const { receipt, event } = events.get(delivery.id) ?? {};
    if (receipt === undefined || event === undefined) return [];
    return {
      id: delivery.id,
      pa: receipt.partner,
      ep: receipt.endpointId,
      ei: receipt.eventId ?? event.eventId,
      et: event.eventType,
      ci: event.correlationId,
      ek: event.entityKey,
      st: delivery.status,
      rp: event.status,
      oc: delivery.superseded ? 'superseded' : 'applied',
      oa: event.occurredAt,
      ra: receipt.receivedAt,
      sb: delivery.settledBy,
    };
  });
  const parameters = [tx.companyId, now.toISOString(), JSON.stringify(rows)];
  const written = await tx.sql.unsafe<{ id: string }[]>(writeSql, parameters, planned);
  return new Set(written.map(({ id }) => id));
};

const settleSql = `
  update impact_in_delivery d set status = s.st, settled_by = s.sb, updated_at = $1::timestamptz
  from jsonb_to_recordset($2::text::jsonb) as s(id uuid, st text, sb uuid) where d.id = s.id`;

const settleDeliveries = async (tx: Tx, settled: readonly Settled[], now: Date): Promise<void> => {
  if (settled.length === 0) return;
  const rows = settled.map(({ id, status, settledBy }) => ({ id, st: status, sb: settledBy }));
  await tx.sql.unsafe(settleSql, [now.toISOString(), JSON.stringify(rows)], planned);
};

const placedOf = ({ receipt, event }: ReceivedEvent): Placed => ({
  id: receipt.id,
  status: event.status,
  occurredAtMs: event.occurredAt.getTime(),
});

const groupByEntity = (received: readonly ReceivedEvent[]) => {
  const byEntity = new Map<string, ReceivedEvent[]>();
  const without: ReceivedEvent[] = [];
  for (const each of received) {
    const entity = entityOf(each);
    if (entity === null) without.push(each);
    else if (byEntity.get(entity)?.push(each) === undefined) byEntity.set(entity, [each]);
  }
  return { byEntity, without };
};

/**
 * Writes what events mean for their entities: every event is one delivery, and the events of one entity are ordered by
 * the time they occurred, then by receipt, in whatever order and batches they are processed (`settleEntity`). Repeating it
 * for processed events changes nothing.
 *
 * @param received of the transaction's company; each receipt once
 */
export const applyEvents = async (tx: Tx, received: readonly ReceivedEvent[], now: Date): Promise<Applied> => {
  const { byEntity, without } = groupByEntity(received);
  await lockEntities(tx, byEntity.keys());
  const known = await readKnown(tx, received, byEntity);
  const isFresh = ({ receipt }: ReceivedEvent): boolean => !known.processed.has(receipt.id);
  const written: Written[] = without
    .filter(isFresh)
    .map((each) => ({ ...placedOf(each), superseded: false, settledBy: null }));
  const settled: Settled[] = [];
  for (const [n, events] of [...byEntity.values()].entries()) {
    const result = settleEntity(known.newest.get(n), known.open.get(n) ?? [], events.filter(isFresh).map(placedOf));
    written.push(...result.written);
    settled.push(...result.settled);
  }
  if (written.length === 0) return { written: new Map(), settledIds: [] };
  // One order for all transactions: without an entity nothing else keeps two from writing the same rows.
  written.sort((a, b) => (a.id < b.id ? -1 : 1));
  const ids = await writeDeliveries(tx, new Map(received.map((each) => [each.receipt.id, each])), written, now);
  await settleDeliveries(tx, settled, now);
  return {
    written: new Map(written.flatMap((each) => (ids.has(each.id) ? [[each.id, each] as const] : []))),
    settledIds: settled.map(({ id }) => id),
  };
};
