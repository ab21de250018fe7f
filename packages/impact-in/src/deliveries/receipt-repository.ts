import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, getTableColumns, gte, lt, sql, type SQL } from 'drizzle-orm';
import { timeOfId } from '../inbox/receipt-row.ts';
import { impactInReceipt, type ReceiptRecord } from '../tables.ts';

export type ReceiptSummary = Omit<ReceiptRecord, 'sealed' | 'companyId' | 'entityKey'>;

export type ReceiptFilter = {
  partner?: ReceiptRecord['partner'] | undefined;
  outcome?: ReceiptRecord['outcome'] | undefined;
  endpointId?: string | undefined;
  /** Up to its colon. */
  reason?: string | undefined;
  requestId?: string | undefined;
  /** Refused and quarantined ones only: whose event was taken later, or was not. */
  taken?: boolean | undefined;
  eventId?: string | undefined;
  correlationId?: string | undefined;
  from?: Date | undefined;
  to?: Date | undefined;
};

const {
  sealed: _sealed,
  companyId: _companyId,
  entityKey: _entityKey,
  ...summaryColumns
} = getTableColumns(impactInReceipt);

/** Year 2200; beyond it lies what is no UUIDv7 of ours, and dates Postgres would refuse. */
const latestMs = Date.UTC(2200, 0, 1);

/** The id's own time leads to the one partition, and with the company to the one entry of its index. */
const isReceipt = (tx: Tx, id: string): SQL | undefined => {
  const { companyId, receivedAt, id: receiptId } = impactInReceipt;
  const atMs = timeOfId(id);
  if (!(atMs < latestMs)) return sql`false`;
  return and(eq(companyId, tx.companyId ?? ''), eq(receivedAt, new Date(atMs)), eq(receiptId, id));
};

export const findReceipt = async (tx: Tx, id: string): Promise<ReceiptSummary | undefined> =>
  (await tx.orm.select(summaryColumns).from(impactInReceipt).where(isReceipt(tx, id)))[0];

export type SealedReceipt = Pick<
  ReceiptRecord,
  'id' | 'companyId' | 'partner' | 'endpointId' | 'eventId' | 'requestId' | 'receivedAt'
> & { sealed: Buffer };

/** LATERAL with OFFSET 0: one step into the index for each id, whatever the planner believes; the range prunes days. */
const findSealedSql = `
  select r.* from unnest($2::uuid[], $3::timestamptz[]) as k (id, at) cross join lateral (
    select id, company_id as "companyId", partner, endpoint_id as "endpointId", event_id as "eventId",
           request_id as "requestId", received_at as "receivedAt", sealed
    from impact_in_receipt
    where company_id = $1 and received_at = k.at and received_at between $4 and $5 and id = k.id and sealed is not null
    offset 0) r`;

/** With the encrypted requests; those that are not there are left out. */
export const findSealedReceipts = async (tx: Tx, ids: readonly string[]): Promise<SealedReceipt[]> => {
  const places = ids.map((id) => ({ id, atMs: timeOfId(id) })).filter(({ atMs }) => atMs < latestMs);
  if (places.length === 0) return [];
  const days = places.map(({ atMs }) => atMs);
  const instant = (ms: number): string => new Date(ms).toISOString();
  const parameters = [
    tx.companyId,
    `{${places.map(({ id }) => id).join(',')}}`,
    `{${days.map(instant).join(',')}}`,
    instant(Math.min(...days)),
    instant(Math.max(...days)),
  ];
  return tx.sql.unsafe<SealedReceipt[]>(findSealedSql, parameters, { prepare: false });
};

const wasTaken = sql`(
  exists (select from impact_in_reverification v where v.receipt_id = ${impactInReceipt.id} and v.result <> 'refused')
  or exists (select from impact_in_confirmation c where c.receipt_id = ${impactInReceipt.id} and c.state = 'confirmed'))`;

const wasTakenLater = (taken: boolean): SQL =>
  sql`${impactInReceipt.outcome} in ('rejected', 'quarantined') and ${taken ? wasTaken : sql`not ${wasTaken}`}`;

const isNotAccepted = ({ outcome, reason, taken }: ReceiptFilter): boolean =>
  reason !== undefined || taken !== undefined || (outcome !== undefined && outcome !== 'accepted');

export const selectReceipts = (
  tx: Tx,
  filter: ReceiptFilter,
  page: { cursor: Cursor | undefined; limit: number },
): Promise<ReceiptSummary[]> => {
  const r = impactInReceipt;
  const { cursor } = page;
  return tx.orm
    .select(summaryColumns)
    .from(r)
    .where(
      and(
        eq(r.companyId, tx.companyId ?? ''),
        filter.partner === undefined ? undefined : eq(r.partner, filter.partner),
        // Said so that the planner may use the small index of what was not accepted.
        isNotAccepted(filter) ? sql`${r.outcome} <> 'accepted'` : undefined,
        filter.reason === undefined ? undefined : sql`split_part(${r.reason}, ':', 1) = ${filter.reason}`,
        filter.taken === undefined ? undefined : wasTakenLater(filter.taken),
        filter.requestId === undefined ? undefined : eq(r.requestId, filter.requestId),
        filter.outcome === undefined ? undefined : eq(r.outcome, filter.outcome),
        filter.endpointId === undefined ? undefined : eq(r.endpointId, filter.endpointId),
        filter.eventId === undefined ? undefined : eq(r.eventId, filter.eventId),
        filter.correlationId === undefined ? undefined : eq(r.correlationId, filter.correlationId),
        filter.from === undefined ? undefined : gte(r.receivedAt, filter.from),
        filter.to === undefined ? undefined : lt(r.receivedAt, filter.to),
        cursor === undefined
          ? undefined
          : sql`(${r.receivedAt}, ${r.id}) < (${new Date(cursor.atMs).toISOString()}::timestamptz, ${cursor.id}::uuid)`,
      ),
    )
    .orderBy(desc(r.receivedAt), desc(r.id))
    .limit(page.limit + 1);
};
