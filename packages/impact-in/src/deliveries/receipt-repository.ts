import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, getTableColumns, gte, lt, sql, type SQL } from 'drizzle-orm';
import { timeOfId } from '../inbox/receipt-row.ts';
import { impactInReceipt, type ReceiptRecord } from '../tables.ts';

export type ReceiptSummary = Omit<ReceiptRecord, 'sealed' | 'companyId' | 'entityKey'>;

export type ReceiptFilter = {
  partner?: ReceiptRecord['partner'] | undefined;
  outcome?: ReceiptRecord['outcome'] | undefined;
  endpointId?: string | undefined;
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

/** With the encrypted request. */
export const findSealedReceipt = async (
  tx: Tx,
  id: string,
): Promise<(ReceiptRecord & { sealed: Buffer }) | undefined> => {
  const [row] = await tx.orm.select().from(impactInReceipt).where(isReceipt(tx, id));
  return row === undefined || row.sealed === null ? undefined : { ...row, sealed: row.sealed };
};

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
        filter.outcome === undefined || filter.outcome === 'accepted' ? undefined : sql`${r.outcome} <> 'accepted'`,
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
