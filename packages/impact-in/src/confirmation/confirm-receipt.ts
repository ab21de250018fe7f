import { recordAudit } from '@impact-hub/audit';
import { enqueueJob, PermanentJobError, type Clock, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { z } from 'zod';
import { openReceipt } from '../deliveries/process-receipt.ts';
import { findSealedReceipts } from '../deliveries/receipt-repository.ts';
import { processReceiptJob } from '../inbox/store-receipts.ts';
import type { ConfirmEvent, EventConfirmation } from './confirm-event.ts';

type Deps = { crypto: Crypto; clock: Clock; confirmEvent: ConfirmEvent };

type Verdict = { state: 'waiting' | 'confirmed' | 'denied'; reason: string | null };

const processing = { name: processReceiptJob, payload: z.object({ receiptId: z.uuid() }) };

/** An API may show a record some time after its event was sent; only then does a denial count. */
const denialCountsAfterMs = 3_600_000;

const verdictOf = (answer: EventConfirmation, waitedMs: number): Verdict => {
  if (answer.outcome === 'confirmed') return { state: 'confirmed', reason: null };
  if (answer.outcome === 'no_connection') return { state: 'waiting', reason: 'no_connection' };
  const state = answer.outcome === 'denied' && waitedMs >= denialCountsAfterMs ? 'denied' : 'waiting';
  return { state, reason: `${answer.outcome}: ${answer.reason}`.slice(0, 500) };
};

type Asked = { id: string; endpointId: string; partner: string };

/** Whoever asks twice at once waits here; who comes second finds the verdict. */
const takeConfirmation = async (
  tx: Tx,
  receipt: Asked,
  now: Date,
): Promise<{ state: Verdict['state']; since: Date }> => {
  await tx.sql`
    insert into impact_in_confirmation (receipt_id, company_id, endpoint_id, partner, state, created_at, updated_at)
    values (${receipt.id}, ${tx.companyId}, ${receipt.endpointId}, ${receipt.partner}, 'waiting', ${now}, ${now})
    on conflict do nothing`;
  const [row] = await tx.sql<{ state: Verdict['state']; since: Date }[]>`
    select state, created_at as since from impact_in_confirmation where receipt_id = ${receipt.id} for update`;
  return row ?? { state: 'waiting', since: now };
};

/**
 * Asks the partner about an event that nobody signed. Confirmed, it is processed as any other; denied, it stays in
 * quarantine; without an answer, without anybody to ask, or denied within the first hour, it waits and is asked about
 * again. Repeating it after a verdict changes nothing.
 *
 * @throws PermanentJobError when the receipt cannot be read, now or ever
 */
export const confirmReceipt = async (tx: Tx, deps: Deps, receiptId: string): Promise<void> => {
  const [receipt] = await findSealedReceipts(tx, [receiptId]);
  const { event } = await openReceipt(deps.crypto, receipt);
  if (receipt === undefined || tx.companyId === null) throw new PermanentJobError('the receipt does not exist');
  const taken = await takeConfirmation(tx, receipt, deps.clock.now());
  if (taken.state !== 'waiting') return;
  const answer = await deps.confirmEvent({ companyId: tx.companyId, partner: receipt.partner, event });
  const { state, reason } = verdictOf(answer, deps.clock.nowMs() - taken.since.getTime());
  await tx.sql`
    update impact_in_confirmation
    set state = ${state}, reason = ${reason}, attempts = attempts + 1, updated_at = ${deps.clock.now()}
    where receipt_id = ${receiptId}`;
  if (state === 'waiting') return;
  await recordAudit(tx, {
    type: state === 'confirmed' ? 'impact_in.event.confirmed' : 'impact_in.event.denied',
    category: 'data',
    actor: { kind: 'partner', id: receipt.endpointId },
    resource: { type: 'impact_in_receipt', id: receiptId },
    metadata: { partner: receipt.partner, eventId: receipt.eventId, correlationId: event.correlationId, reason },
  });
  if (state === 'confirmed') await enqueueJob(tx, processing, { receiptId });
};
