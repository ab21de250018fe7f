import type { Tx } from '@impact-hub/core';
import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';

export const reverificationResults = ['refused', 'accepted', 'awaiting_confirmation', 'duplicate', 'conflict'] as const;
export type ReverificationResult = (typeof reverificationResults)[number];

/** What a call is told: of a receipt that was decided for good before, only that. */
export const reverifyResults = [...reverificationResults, 'already_taken'] as const;

/** Those that were not taken when they arrived. */
export const isOpenToTaking = ({ outcome }: Pick<ReceiptSummary, 'outcome'>): boolean =>
  outcome === 'rejected' || outcome === 'quarantined';

/** What became of a receipt when it was verified again; the record of it says no more. */
export type Reverification = {
  receiptId: string;
  result: ReverificationResult;
  reason: string | null;
  /** Of a duplicate or conflict. */
  originalId: string | null;
};

export type ReverifyAnswer = Omit<Reverification, 'result'> & {
  result: (typeof reverifyResults)[number];
  /** Of one that was already taken: what had become of it. */
  taken: ReverificationResult | null;
};

/** Decided for good before, and not by this call. */
export const alreadyTaken = (record: Reverification): ReverifyAnswer => ({
  ...record,
  result: 'already_taken',
  taken: record.result,
});

/** Those that were decided for good, by their receipt. */
export const findTaken = async (tx: Tx, receiptIds: readonly string[]): Promise<Map<string, Reverification>> => {
  const records = await tx.sql<Reverification[]>`
    select receipt_id as "receiptId", result, reason, original_id as "originalId"
    from impact_in_reverification where receipt_id = any(${receiptIds}::uuid[]) and result <> 'refused'`;
  return new Map(records.map((record) => [record.receiptId, record]));
};

/** @param lock makes others that want to change it wait until the transaction ends */
export const findReverification = async (
  tx: Tx,
  receiptId: string,
  lock: 'lock' | 'read' = 'read',
): Promise<Reverification | undefined> => {
  const [record] = await tx.sql<Reverification[]>`
    select receipt_id as "receiptId", result, reason, original_id as "originalId"
    from impact_in_reverification where receipt_id = ${receiptId} ${lock === 'lock' ? tx.sql`for update` : tx.sql``}`;
  return record;
};
