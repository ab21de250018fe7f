import type { Tx } from '@impact-hub/core';
import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import { isOpenToTaking, type ReverificationResult } from './find-reverification.ts';

type Later = {
  receiptId: string;
  result: ReverificationResult | null;
  reason: string | null;
  originalId: string | null;
  at: Date | null;
  isConfirmed: boolean;
};

const readLater = (tx: Tx, receiptIds: readonly string[]): Promise<Later[]> => tx.sql<Later[]>`
  select k.id as "receiptId", v.result, v.reason, v.original_id as "originalId", v.updated_at as at,
    coalesce(c.state = 'confirmed', false) as "isConfirmed"
  from unnest(${receiptIds}::uuid[]) as k (id)
  left join impact_in_reverification v on v.receipt_id = k.id
  left join impact_in_confirmation c on c.receipt_id = k.id`;

export type ShownReceipt = ReceiptSummary & {
  /** Whether the event of a refused or quarantined receipt was taken later; null of others. */
  taken: boolean | null;
  /** When it was last verified again, and what came of it. */
  reverification: (Pick<Later, 'reason' | 'originalId'> & { result: ReverificationResult; at: Date }) | null;
};

const show = (receipt: ReceiptSummary, later: Later | undefined): ShownReceipt => {
  if (later === undefined) return { ...receipt, taken: null, reverification: null };
  const { result, reason, originalId, at, isConfirmed } = later;
  return {
    ...receipt,
    taken: isConfirmed || (result !== null && result !== 'refused'),
    reverification: result === null || at === null ? null : { result, reason, originalId, at },
  };
};

/** Receipts with what became of those that were not taken when they arrived. One read for all of them. */
export const showReceipts = async (tx: Tx, receipts: readonly ReceiptSummary[]): Promise<ShownReceipt[]> => {
  const open = receipts.filter(isOpenToTaking).map(({ id }) => id);
  const later = open.length === 0 ? [] : await readLater(tx, open);
  const byId = new Map(later.map((one) => [one.receiptId, one]));
  return receipts.map((receipt) => show(receipt, byId.get(receipt.id)));
};
