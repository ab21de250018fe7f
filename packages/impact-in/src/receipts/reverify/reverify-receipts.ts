import { setImmediate as nextTurn } from 'node:timers/promises';
import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database } from '@impact-hub/core';
import { findReceipt, findSealedReceipts, type ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import type { Records } from '../records.ts';
import { judgeReceipt, type Judgement } from './judge-receipt.ts';
import {
  alreadyTaken,
  findTaken,
  isOpenToTaking,
  type Reverification,
  type ReverifyAnswer,
} from './find-reverification.ts';
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

const preview = ({ receipt, judged }: Judged): ReverifyAnswer => ({
  receiptId: receipt.id,
  originalId: null,
  taken: null,
  ...(judged.verdict === 'refused'
    ? { result: 'refused', reason: judged.reason }
    : { result: judged.needsConfirmation ? 'awaiting_confirmation' : 'accepted', reason: null }),
});

type SetApart = { known: ReverifyAnswer[]; open: ReceiptSummary[] };

/** What was decided for good needs no judgement: no request is decrypted for it. */
const setTakenApart = async (deps: Deps, companyId: string, receipts: readonly ReceiptSummary[]): Promise<SetApart> => {
  const ids = receipts.map(({ id }) => id);
  const taken: Map<string, Reverification> = await deps.db.company(companyId, (tx) => findTaken(tx, ids));
  return { known: [...taken.values()].map(alreadyTaken), open: receipts.filter(({ id }) => !taken.has(id)) };
};

const inOrder = (receipts: readonly ReceiptSummary[], answers: readonly ReverifyAnswer[]): ReverifyAnswer[] => {
  const byId = new Map(answers.map((answer) => [answer.receiptId, answer]));
  return receipts.flatMap(({ id }) => byId.get(id) ?? []);
};

/** What would be said of them now, duplicates not yet looked for. Writes nothing. */
export const previewReceipts = async (
  deps: Deps,
  companyId: string,
  receipts: readonly ReceiptSummary[],
): Promise<ReverifyAnswer[]> => {
  const { known, open } = await setTakenApart(deps, companyId, receipts);
  const judged = (await judgeAll(deps, companyId, open)).map(preview);
  return inOrder(receipts, [...known, ...judged]);
};

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
): Promise<ReverifyAnswer[]> => {
  const { known: answers, open } = await setTakenApart(deps, companyId, receipts);
  for (const { receipt, judged } of (await judgeAll(deps, companyId, open)).toSorted(byKey))
    answers.push(
      isOpenToTaking(receipt)
        ? await deps.db.company(companyId, (tx) => takeReceipt(tx, deps, { receipt, judged, by }))
        : preview({ receipt, judged }),
    );
  const reverifications = inOrder(receipts, answers);
  const counts: Record<string, number> = {};
  for (const { result } of reverifications) counts[result] = (counts[result] ?? 0) + 1;
  await deps.db.company(companyId, (tx) =>
    recordAudit(tx, { type: 'impact_in.receipts.reverified', category: 'security', ...by, metadata: { counts } }),
  );
  return reverifications;
};
