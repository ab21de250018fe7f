import { setImmediate as nextTurn } from 'node:timers/promises';
import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database } from '@impact-hub/core';
import { findReceipt, findSealedReceipts, type ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import type { Records } from '../records.ts';
import { judgeReceipt, type Judgement } from './judge-receipt.ts';
import type { Reverification } from './find-reverification.ts';
import { portionsOf } from './kept-bytes.ts';
import { takeReceipt, type Reverifier } from './take-receipt.ts';

type Deps = { db: Database; clock: Clock; records: Pick<Records, 'inTurn'> } & Parameters<typeof judgeReceipt>[0];

type Judged = { receipt: ReceiptSummary; judged: Judgement };

const judgePortion = async (deps: Deps, companyId: string, receipts: readonly ReceiptSummary[]): Promise<Judged[]> => {
  const ids = receipts.map(({ id }) => id);
  const sealed = await deps.db.company(companyId, (tx) => findSealedReceipts(tx, ids));
  const byId = new Map(sealed.map((one) => [one.id, one]));
  const judgements: Judged[] = [];
  for (const receipt of receipts) {
    // Decrypting, verifying and reading a large body takes milliseconds each, without a pause of its own.
    await nextTurn();
    judgements.push({ receipt, judged: await judgeReceipt(deps, { receipt, sealed: byId.get(receipt.id) }) });
  }
  return judgements;
};

const judgeAll = async (deps: Deps, companyId: string, receipts: readonly ReceiptSummary[]): Promise<Judged[]> => {
  const judgements: Judged[] = [];
  for (const some of portionsOf(receipts)) {
    const work = () => judgePortion(deps, companyId, some.receipts);
    judgements.push(...(await deps.records.inTurn([companyId, 'reverify'], some.bytes, work)));
  }
  return judgements;
};

const keyOf = ({ judged }: Judged): Buffer => (judged.verdict === 'authentic' ? judged.dedupeKey : Buffer.alloc(0));

/** The order of the inbox's batches: whoever takes several events in one transaction deadlocks with them otherwise. */
const byKey = (a: Judged, b: Judged): number =>
  a.receipt.endpointId < b.receipt.endpointId
    ? -1
    : a.receipt.endpointId > b.receipt.endpointId
      ? 1
      : Buffer.compare(keyOf(a), keyOf(b));

/** Receipts of the company by their ids; those that do not exist are left out. */
export const findReceipts = (deps: Deps, companyId: string, ids: readonly string[]): Promise<ReceiptSummary[]> =>
  deps.db.company(companyId, async (tx) => {
    const found: ReceiptSummary[] = [];
    for (const id of new Set(ids)) {
      const receipt = await findReceipt(tx, id);
      if (receipt !== undefined) found.push(receipt);
    }
    return found;
  });

const preview = ({ receipt, judged }: Judged): Reverification => ({
  receiptId: receipt.id,
  originalId: null,
  ...(judged.verdict === 'refused'
    ? { result: 'refused', reason: judged.reason }
    : { result: judged.needsConfirmation ? 'awaiting_confirmation' : 'accepted', reason: null }),
});

/** What would be said of them now, duplicates not yet looked for. Writes nothing. */
export const previewReceipts = async (
  deps: Deps,
  companyId: string,
  receipts: readonly ReceiptSummary[],
): Promise<Reverification[]> => (await judgeAll(deps, companyId, receipts)).map(preview);

/**
 * Verifies refused receipts again, with the secrets of today and the clock at their arrival, and reads quarantined ones
 * again by the schemas of today. What is authentic goes the way of a fresh event, in a transaction of its own each.
 *
 * @param receipts of the company, in the order of the answer
 */
export const reverifyReceipts = async (
  deps: Deps,
  companyId: string,
  receipts: readonly ReceiptSummary[],
  by: Reverifier,
): Promise<Reverification[]> => {
  const judgements = await judgeAll(deps, companyId, receipts);
  const results = new Map<string, Reverification>();
  for (const { receipt, judged } of judgements.toSorted(byKey))
    results.set(
      receipt.id,
      receipt.outcome === 'rejected' || receipt.outcome === 'quarantined'
        ? await deps.db.company(companyId, (tx) => takeReceipt(tx, deps, { receipt, judged, by }))
        : preview({ receipt, judged }),
    );
  const reverifications = receipts.flatMap(({ id }) => results.get(id) ?? []);
  const counts: Record<string, number> = {};
  for (const { result } of reverifications) counts[result] = (counts[result] ?? 0) + 1;
  await deps.db.company(companyId, (tx) =>
    recordAudit(tx, { type: 'impact_in.receipts.reverified', category: 'security', ...by, metadata: { counts } }),
  );
  return reverifications;
};
