import { recordAudits, type AuditEvent } from '@impact-hub/audit';
import { PermanentJobError, type Clock, type Outbox, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { receiptPurpose } from '../endpoints/endpoint.ts';
import { readKeptRequest, type KeptRequest } from '../inbox/seal-request.ts';
import { partnerOf } from '../partners/partner-of.ts';
import type { PartnerEvent } from '../partners/partner.ts';
import { readEvent } from '../partners/read-event.ts';
import { settleOutbound } from '../outbound/settle-outbound.ts';
import { pauseEvery } from '../receipts/pause-every.ts';
import type { Records } from '../receipts/records.ts';
import { applyEvents } from './apply-events.ts';
import { findSealedReceipts, type SealedReceipt } from './receipt-repository.ts';

type Deps = { crypto: Crypto; outbox: Outbox; clock: Clock; records: Pick<Records, 'search' | 'metrics'> };

/** Event of the outbox; the payload is `{deliveryId}`. */
export const deliveryUpdated = 'impact_in.delivery.updated';

const openRequest = async (crypto: Crypto, receipt: SealedReceipt): Promise<KeptRequest> =>
  readKeptRequest(
    await crypto.unseal({
      companyId: receipt.companyId,
      purpose: receiptPurpose,
      context: receipt.id,
      sealed: receipt.sealed,
    }),
  );

const headerOf = (rawHeaders: readonly string[], name: string): string | undefined => {
  const at = rawHeaders.findIndex((text, index) => index % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : rawHeaders[at + 1];
};

type Opened = { receipt: SealedReceipt; event: PartnerEvent; kept: KeptRequest };

/** Reads a stored receipt's event. @throws PermanentJobError when there is none to be read, now or ever */
export const openReceipt = async (crypto: Crypto, receipt: SealedReceipt | undefined): Promise<Opened> => {
  if (receipt === undefined) throw new PermanentJobError('the receipt does not exist');
  const kept = await openRequest(crypto, receipt);
  const read = readEvent(partnerOf[receipt.partner], kept.body);
  if (read.outcome !== 'event')
    throw new PermanentJobError(`the stored body is no event of the partner: ${read.outcome}`);
  return { receipt, event: read.event, kept };
};

const auditOf = ({ receipt, event, kept }: Opened, superseded: boolean): AuditEvent => ({
  type: 'impact_in.event.processed',
  category: 'data',
  actor: { kind: 'partner', id: receipt.endpointId },
  resource: { type: 'impact_in_delivery', id: receipt.id },
  request: { id: receipt.requestId, ip: kept.ip, userAgent: headerOf(kept.rawHeaders, 'user-agent') },
  metadata: {
    partner: receipt.partner,
    eventId: receipt.eventId,
    eventType: event.eventType,
    correlationId: event.correlationId,
    status: event.status,
    superseded,
  },
});

/** Of requests that are opened and read without a pause, at worst some 10 ms; companies choose how large theirs are. */
const bytesPerTurn = 131_072;

/**
 * Turns accepted receipts into their deliveries: opens the stored bytes, reads the events and applies them, with their
 * audit events and outbox events, in the jobs' transaction.
 *
 * @returns why receipts, by id, cannot be processed; nothing was written for them
 */
export const processReceipts = async (
  tx: Tx,
  deps: Deps,
  receiptIds: readonly string[],
): Promise<ReadonlyMap<string, unknown>> => {
  const ids = [...new Set(receiptIds)];
  const found = new Map((await findSealedReceipts(tx, ids)).map((receipt) => [receipt.id, receipt]));
  const pause = pauseEvery(bytesPerTurn);
  const opened: Opened[] = [];
  const failures = new Map<string, unknown>();
  for (const id of ids) {
    const receipt = found.get(id);
    await pause(receipt?.sealed.length ?? 0);
    try {
      opened.push(await openReceipt(deps.crypto, receipt));
    } catch (error) {
      failures.set(id, error);
    }
  }
  if (opened.length === 0) return failures;
  const now = deps.clock.now();
  const { written, settledIds } = await applyEvents(tx, opened, now);
  const processed = opened.filter(({ receipt }) => written.has(receipt.id));
  const outboundIds = await settleOutbound(
    tx,
    processed.map(({ receipt, event }) => ({ ...event, id: receipt.id, partner: receipt.partner })),
    now,
  );
  await deps.records.search.add(
    tx,
    processed.map(({ receipt, kept }) => ({ deliveryId: receipt.id, endpointId: receipt.endpointId, body: kept.body })),
  );
  await recordAudits(
    tx,
    processed.map((each) => auditOf(each, written.get(each.receipt.id)?.superseded === true)),
  );
  const changedIds = new Set([...written.keys(), ...settledIds, ...outboundIds]);
  await deps.outbox.publishAll(
    tx,
    deliveryUpdated,
    [...changedIds].map((deliveryId) => ({ deliveryId })),
  );
  for (const { receipt } of processed)
    deps.records.metrics.processed(receipt.partner, now.getTime() - receipt.receivedAt.getTime());
  return failures;
};

/**
 * Processes one receipt, see `processReceipts`.
 *
 * @throws PermanentJobError when the receipt or its event cannot be read, now or ever
 */
export const processReceipt = async (tx: Tx, deps: Deps, receiptId: string): Promise<void> => {
  const failures = await processReceipts(tx, deps, [receiptId]);
  if (failures.has(receiptId)) throw failures.get(receiptId);
};
