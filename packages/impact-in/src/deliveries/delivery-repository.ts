import type { Cursor, Tx } from '@impact-hub/core';
import { and, asc, desc, eq, getTableColumns, gte, inArray, lt, sql, type SQL } from 'drizzle-orm';
import { confirmReceiptJob, processReceiptJob } from '../inbox/store-receipts.ts';
import { impactInAttempt, impactInDelivery, type AttemptRow, type DeliveryRow } from '../tables.ts';

export type Delivery = Omit<DeliveryRow, 'companyId' | 'entityKey'>;

export type DeliveryFilter = {
  partner?: DeliveryRow['partner'] | undefined;
  status?: DeliveryRow['status'] | undefined;
  outcome?: DeliveryRow['outcome'] | undefined;
  direction?: DeliveryRow['direction'] | undefined;
  endpointId?: string | undefined;
  eventId?: string | undefined;
  eventType?: string | undefined;
  correlationId?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
  /** What stands for a field and its value in the index. */
  term?: Buffer | undefined;
};

const { companyId: _companyId, entityKey: _entityKey, ...columns } = getTableColumns(impactInDelivery);

/** No id made at that moment or later is smaller. */
const firstIdAt = (atMs: number): string => {
  const hex = Math.max(0, atMs).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
};

/** Ids of inbound deliveries, by the index: as they hold the time of receipt, only those of the time asked for are read. */
const deliveriesWith = (term: Buffer, { from, to }: DeliveryFilter, tx: Tx, cursor: Cursor | undefined): SQL =>
  sql.join(
    [
      sql`(select delivery_id from impact_in_search_entry where company_id = ${tx.companyId} and term = ${term}`,
      ...(from === undefined ? [] : [sql`and delivery_id >= ${firstIdAt(from.getTime())}::uuid`]),
      ...(to === undefined ? [] : [sql`and delivery_id < ${firstIdAt(to.getTime())}::uuid`]),
      ...(cursor === undefined ? [] : [sql`and delivery_id < ${firstIdAt(cursor.atMs + 1)}::uuid`]),
      sql`)`,
    ],
    sql` `,
  );

export const selectDeliveries = (
  tx: Tx,
  filter: DeliveryFilter,
  page: { cursor: Cursor | undefined; limit: number },
): Promise<Delivery[]> => {
  const d = impactInDelivery;
  const { cursor } = page;
  return tx.orm
    .select(columns)
    .from(d)
    .where(
      and(
        eq(d.companyId, tx.companyId ?? ''),
        filter.partner === undefined ? undefined : eq(d.partner, filter.partner),
        filter.status === undefined ? undefined : eq(d.status, filter.status),
        // Said so that the planner may use the small index of them.
        filter.outcome === 'dead' ? sql`${d.outcome} = 'dead'` : undefined,
        filter.outcome === undefined ? undefined : eq(d.outcome, filter.outcome),
        filter.direction === undefined ? undefined : eq(d.direction, filter.direction),
        filter.endpointId === undefined ? undefined : eq(d.endpointId, filter.endpointId),
        filter.eventId === undefined ? undefined : eq(d.eventId, filter.eventId),
        filter.eventType === undefined ? undefined : eq(d.eventType, filter.eventType),
        filter.correlationId === undefined ? undefined : eq(d.correlationId, filter.correlationId),
        filter.from === undefined ? undefined : gte(d.receivedAt, filter.from),
        filter.to === undefined ? undefined : lt(d.receivedAt, filter.to),
        filter.term === undefined ? undefined : inArray(d.id, deliveriesWith(filter.term, filter, tx, cursor)),
        cursor === undefined
          ? undefined
          : sql`(${d.receivedAt}, ${d.id}) < (${new Date(cursor.atMs).toISOString()}::timestamptz, ${cursor.id}::uuid)`,
      ),
    )
    .orderBy(desc(d.receivedAt), desc(d.id))
    .limit(page.limit + 1);
};

/** In the order of their ids, which is that of their creation. */
export const selectDeliveriesById = (tx: Tx, ids: string[]): Promise<Delivery[]> =>
  tx.orm
    .select(columns)
    .from(impactInDelivery)
    .where(and(eq(impactInDelivery.companyId, tx.companyId ?? ''), inArray(impactInDelivery.id, ids)))
    .orderBy(asc(impactInDelivery.id));

export const findDelivery = async (
  tx: Tx,
  id: string,
): Promise<(Delivery & { attemptLog: AttemptRow[] }) | undefined> => {
  const [delivery] = await tx.orm.select(columns).from(impactInDelivery).where(eq(impactInDelivery.id, id));
  if (delivery === undefined) return undefined;
  const attemptLog = await tx.orm
    .select()
    .from(impactInAttempt)
    .where(eq(impactInAttempt.deliveryId, id))
    .orderBy(asc(impactInAttempt.number));
  return { ...delivery, attemptLog };
};

export type Count = { partner: string; kind: string; count: number };
export type DeliveryCount = Count & { outcome: string };

/** Deliveries by partner, status and outcome, and receipts by partner and outcome, of `[from, to)`. */
export const countTraffic = async (
  tx: Tx,
  from: Date,
  to: Date,
): Promise<{ deliveries: DeliveryCount[]; receipts: Count[] }> => ({
  deliveries: await tx.sql<DeliveryCount[]>`
    select partner, status as kind, outcome, count(*)::int as count from impact_in_delivery
    where company_id = ${tx.companyId} and received_at >= ${from} and received_at < ${to} group by partner, status, outcome`,
  receipts: await tx.sql<Count[]>`
    select partner, outcome as kind, count(*)::int as count from impact_in_receipt
    where company_id = ${tx.companyId} and received_at >= ${from} and received_at < ${to} and outcome <> 'test'
    group by partner, outcome`,
});

export type WorkFigures = {
  backlog: { receipts: number; oldestSeconds: number; dead: number };
  replays: { succeeded: number; failed: number };
};

/** What waits to be processed now, and how the deliveries of the replays begun in `[from, to)` ended. */
export const countWork = async (tx: Tx, from: Date, to: Date): Promise<WorkFigures> => {
  const [backlog] = await tx.sql<WorkFigures['backlog'][]>`
    select count(*) filter (where state <> 'dead')::int as receipts, count(*) filter (where state = 'dead')::int as dead,
      coalesce(extract(epoch from now() - min(created_at) filter (where state <> 'dead')), 0)::float8 as "oldestSeconds"
    from job where company_id = ${tx.companyId} and queue in (${processReceiptJob}, ${confirmReceiptJob})`;
  const [replays] = await tx.sql<WorkFigures['replays'][]>`
    select coalesce(sum(succeeded), 0)::int as succeeded, coalesce(sum(failed), 0)::int as failed
    from impact_in_replay where company_id = ${tx.companyId} and created_at >= ${from} and created_at < ${to}`;
  return {
    backlog: backlog ?? { receipts: 0, oldestSeconds: 0, dead: 0 },
    replays: replays ?? { succeeded: 0, failed: 0 },
  };
};
