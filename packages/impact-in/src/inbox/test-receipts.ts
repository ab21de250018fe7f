import { createHash, randomBytes } from 'node:crypto';
import { newId } from '@impact-hub/core';
import type { AuthenticReceiptRow } from './receipt-row.ts';

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** A receipt as the receiver would submit it; the same event and body are duplicates of each other. */
export const receiptRow = (
  place: { companyId: string; endpointId: string },
  event: { id?: string; body?: string } = {},
  more: Partial<AuthenticReceiptRow> = {},
): AuthenticReceiptRow => {
  const id = newId();
  const eventId = event.id ?? id;
  return {
    id,
    ...place,
    partner: 'benevity',
    outcome: 'accepted',
    reason: null,
    eventId,
    eventType: 'delivery.success',
    correlationId: null,
    entityKey: null,
    secretId: null,
    requestId: newId(),
    bodyBytes: 100,
    arrivedAtMs: performance.now(),
    sealed: randomBytes(100),
    dedupeKey: sha256(`event ${eventId}`),
    bodySha256: sha256(event.body ?? eventId),
    traceparent: null,
    ...more,
  };
};
