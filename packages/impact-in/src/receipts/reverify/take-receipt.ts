import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { enqueueJob, type Clock, type RequestInfo, type Tx } from '@impact-hub/core';
import { z } from 'zod';
import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import { confirmReceiptJob, processReceiptJob, reportConflictJob } from '../../inbox/store-receipts.ts';
import { alreadyTaken, findReverification, type Reverification, type ReverifyAnswer } from './find-reverification.ts';
import type { Judgement } from './judge-receipt.ts';

/** Who has receipts verified again. */
export type Reverifier = { actor: AuditActor; request: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

const receiptPayload = z.object({ receiptId: z.uuid() });
const processing = { name: processReceiptJob, payload: receiptPayload };
const confirming = { name: confirmReceiptJob, payload: receiptPayload };
const reporting = { name: reportConflictJob, payload: z.object({ receiptId: z.uuid(), originalId: z.uuid() }) };

type Authentic = Extract<Judgement, { verdict: 'authentic' }>;
type Taken = Pick<Reverification, 'result' | 'originalId'>;

/**
 * Claims the event in the table by which every copy of it is recognised. Whoever comes second, a fresh copy included,
 * waits here until the first one has committed.
 */
const claimEvent = async (tx: Tx, receipt: ReceiptSummary, judged: Authentic): Promise<Taken> => {
  const { dedupeKey, bodySha256 } = judged;
  await tx.sql`
    insert into impact_in_dedupe (endpoint_id, dedupe_key, company_id, receipt_id, body_sha256, first_seen_at)
    values (${receipt.endpointId}, ${dedupeKey}, ${tx.companyId}, ${receipt.id}, ${bodySha256}, ${receipt.receivedAt})
    on conflict do nothing`;
  const [known] = await tx.sql<{ receiptId: string; sameBytes: boolean }[]>`
    select receipt_id as "receiptId", body_sha256 = ${bodySha256} as "sameBytes" from impact_in_dedupe
    where endpoint_id = ${receipt.endpointId} and dedupe_key = ${dedupeKey}`;
  if (known === undefined) throw new Error('an event was forgotten while it was claimed');
  // A quarantined receipt may have claimed its bytes or its event id when it arrived.
  if (known.receiptId === receipt.id)
    return { result: judged.needsConfirmation ? 'awaiting_confirmation' : 'accepted', originalId: null };
  return { result: known.sameBytes ? 'duplicate' : 'conflict', originalId: known.receiptId };
};

const startWork = async (tx: Tx, receiptId: string, { result, originalId }: Taken): Promise<void> => {
  if (result === 'accepted') await enqueueJob(tx, processing, { receiptId });
  if (result === 'awaiting_confirmation') await enqueueJob(tx, confirming, { receiptId });
  if (result === 'conflict' && originalId !== null) await enqueueJob(tx, reporting, { receiptId, originalId });
};

/** Whoever has the same receipt verified at the same time waits here. */
const lockRecord = async (tx: Tx, receiptId: string, { actor }: Reverifier, now: Date): Promise<Reverification> => {
  await tx.sql`
    insert into impact_in_reverification
      (receipt_id, company_id, result, attempts, actor_kind, actor_id, created_at, updated_at)
    values (${receiptId}, ${tx.companyId}, 'refused', 0, ${actor.kind}, ${actor.id}, ${now}, ${now})
    on conflict do nothing`;
  const record = await findReverification(tx, receiptId, 'lock');
  if (record === undefined) throw new Error('the record of a verification cannot be read');
  return record;
};

/**
 * Writes down what was judged of a receipt, and has its event processed if it is authentic and new: once, however often
 * and at whatever moment this and fresh copies of the event come. What was decided for good stays.
 *
 * @throws Error when the database refuses; nothing is written then
 */
export const takeReceipt = async (
  tx: Tx,
  deps: { clock: Clock },
  { receipt, judged, by }: { receipt: ReceiptSummary; judged: Judgement; by: Reverifier },
): Promise<ReverifyAnswer> => {
  const now = deps.clock.now();
  const record = await lockRecord(tx, receipt.id, by, now);
  if (record.result !== 'refused') return alreadyTaken(record);
  const isAuthentic = judged.verdict === 'authentic';
  const taken: Taken = isAuthentic ? await claimEvent(tx, receipt, judged) : { result: 'refused', originalId: null };
  const reason = isAuthentic ? null : judged.reason;
  await tx.sql`
    update impact_in_reverification set
      result = ${taken.result}, reason = ${reason}, original_id = ${taken.originalId}, attempts = attempts + 1,
      event_id = ${isAuthentic ? judged.eventId : null}, secret_id = ${isAuthentic ? judged.secretId : null},
      actor_kind = ${by.actor.kind}, actor_id = ${by.actor.id}, updated_at = ${now}
    where receipt_id = ${receipt.id}`;
  if (isAuthentic) {
    await startWork(tx, receipt.id, taken);
    await recordAudit(tx, {
      type: 'impact_in.receipt.reverified',
      category: 'security',
      ...by,
      resource: { type: 'impact_in_receipt', id: receipt.id },
      metadata: {
        result: taken.result,
        outcomeAtArrival: receipt.outcome,
        reasonAtArrival: receipt.reason,
        endpointId: receipt.endpointId,
        eventId: judged.eventId,
        secretId: judged.secretId,
        originalId: taken.originalId,
      },
    });
  }
  return { receiptId: receipt.id, reason, ...taken, taken: null };
};
