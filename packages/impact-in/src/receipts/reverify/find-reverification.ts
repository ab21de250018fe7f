import type { Tx } from '@impact-hub/core';

export const reverificationResults = ['refused', 'accepted', 'awaiting_confirmation', 'duplicate', 'conflict'] as const;
export type ReverificationResult = (typeof reverificationResults)[number];

/** What became of a receipt when it was verified again; the record of it says no more. */
export type Reverification = {
  receiptId: string;
  result: ReverificationResult;
  reason: string | null;
  /** Of a duplicate or conflict. */
  originalId: string | null;
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
