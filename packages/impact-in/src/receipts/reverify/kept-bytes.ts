import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import { maxRejectedBodyBytes } from '../../inbox/record-rejected.ts';

type Sized = Pick<ReceiptSummary, 'outcome' | 'bodyBytes'>;

/** Of a body that is opened when its receipt is verified again; nothing of one that had been taken. */
const keptBytesOf = ({ outcome, bodyBytes }: Sized): number =>
  outcome === 'quarantined' ? bodyBytes : outcome === 'rejected' ? Math.min(bodyBytes, maxRejectedBodyBytes) : 0;

/** How many of the first receipts have at most so many bytes together; one at least, if there is one. */
export const countWithin = (receipts: readonly Sized[], maxBytes: number): number => {
  let bytes = 0;
  const tooMany = receipts.findIndex((receipt) => (bytes += keptBytesOf(receipt)) > maxBytes);
  return tooMany < 0 ? receipts.length : Math.max(1, tooMany);
};

/** What is opened at the same time. */
const portion = { receipts: 10, bytes: 1_048_576 };

/** Parts receipts, in their order, into what is opened at the same time: ten, of 1 MiB together unless one is larger. */
export const portionsOf = <R extends Sized>(receipts: readonly R[]): { receipts: R[]; bytes: number }[] => {
  const portions: { receipts: R[]; bytes: number }[] = [];
  for (let start = 0; start < receipts.length;) {
    const most = receipts.slice(start, start + portion.receipts);
    const some = most.slice(0, countWithin(most, portion.bytes));
    portions.push({ receipts: some, bytes: some.reduce((sum, receipt) => sum + keptBytesOf(receipt), 0) });
    start += some.length;
  }
  return portions;
};
