import { recordAudit } from '@impact-hub/audit';
import type { Outbox, Tx } from '@impact-hub/core';
import { findReceipt } from './receipt-repository.ts';

/** Event of the outbox; the payload is `{receiptId, originalId}`. */
export const receiptConflict = 'impact_in.receipt.conflict';

/**
 * Makes it known that a partner sent one event id with two different bodies: a bug of the partner or a forgery with a
 * stolen secret. The first body counts; the second is kept beside it.
 */
export const reportConflict = async (
  tx: Tx,
  deps: { outbox: Outbox },
  conflict: { receiptId: string; originalId: string },
): Promise<void> => {
  const receipt = await findReceipt(tx, conflict.receiptId);
  if (receipt === undefined) return;
  await recordAudit(tx, {
    type: 'impact_in.receipt.conflict',
    category: 'security',
    severity: 'warning',
    actor: { kind: 'partner', id: receipt.endpointId },
    resource: { type: 'impact_in_receipt', id: receipt.id },
    metadata: { partner: receipt.partner, eventId: receipt.eventId, originalId: conflict.originalId },
  });
  await deps.outbox.publish(tx, { type: receiptConflict, payload: conflict });
};
