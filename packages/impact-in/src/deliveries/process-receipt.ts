import { recordAudit } from '@impact-hub/audit';
import { PermanentJobError, type Clock, type Outbox, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { receiptPurpose } from '../endpoints/endpoint.ts';
import { readKeptRequest, type KeptRequest } from '../inbox/seal-request.ts';
import { partnerOf } from '../partners/partner-of.ts';
import type { PartnerEvent } from '../partners/partner.ts';
import { readEvent } from '../partners/read-event.ts';
import type { ReceiptRecord } from '../tables.ts';
import { applyEvent } from './apply-event.ts';
import { findSealedReceipt } from './receipt-repository.ts';

type Deps = { crypto: Crypto; outbox: Outbox; clock: Clock };

/** Event of the outbox; the payload is `{deliveryId}`. */
export const deliveryUpdated = 'impact_in.delivery.updated';

const openRequest = async (crypto: Crypto, receipt: ReceiptRecord & { sealed: Buffer }): Promise<KeptRequest> =>
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

const auditProcessing = (tx: Tx, receipt: ReceiptRecord, event: PartnerEvent, kept: KeptRequest, superseded: boolean) =>
  recordAudit(tx, {
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

/**
 * Turns an accepted receipt into its delivery: opens the stored bytes, reads the event and applies it, with its audit
 * event and outbox events, in the job's transaction.
 *
 * @throws PermanentJobError when the receipt or its event cannot be read, now or ever
 */
export const processReceipt = async (tx: Tx, deps: Deps, receiptId: string): Promise<void> => {
  const receipt = await findSealedReceipt(tx, receiptId);
  if (receipt === undefined) throw new PermanentJobError('the receipt does not exist');
  const kept = await openRequest(deps.crypto, receipt);
  const read = readEvent(partnerOf[receipt.partner], kept.body);
  if (read.outcome !== 'event')
    throw new PermanentJobError(`the stored body is no event of the partner: ${read.outcome}`);
  const applied = await applyEvent(tx, receipt, read.event, deps.clock.now());
  if (applied.status === null) return;
  await auditProcessing(tx, receipt, read.event, kept, applied.superseded);
  for (const deliveryId of [receipt.id, ...applied.settledIds])
    await deps.outbox.publish(tx, { type: deliveryUpdated, payload: { deliveryId } });
};
