import { auditEvent, recordAudit } from '@impact-hub/audit';
import type { Outbox, Tx } from '@impact-hub/core';
import { and, eq } from 'drizzle-orm';
import { findReceipt } from './receipt-repository.ts';

/** Event of the outbox; the payload is `{receiptId, originalId}`. */
export const receiptConflict = 'impact_in.receipt.conflict';

const auditType = 'impact_in.receipt.conflict';

/** A batch whose answer was lost is stored again, and its job with it, perhaps after that has been done. */
const isTold = async (tx: Tx, receiptId: string): Promise<boolean> => {
  const { resourceId, type } = auditEvent;
  const ofReceipt = and(eq(resourceId, receiptId), eq(type, auditType));
  return (await tx.orm.select({ id: auditEvent.id }).from(auditEvent).where(ofReceipt).limit(1)).length > 0;
};

/**
 * Makes it known once that a partner sent one event id with two different bodies: a bug of the partner or a forgery with a
 * stolen secret. The first body counts; the second is kept beside it.
 */
export const reportConflict = async (
  tx: Tx,
  deps: { outbox: Outbox },
  conflict: { receiptId: string; originalId: string },
): Promise<void> => {
  const receipt = await findReceipt(tx, conflict.receiptId);
  if (receipt === undefined || (await isTold(tx, receipt.id))) return;
  await recordAudit(tx, {
    type: auditType,
    category: 'security',
    severity: 'warning',
    actor: { kind: 'partner', id: receipt.endpointId },
    resource: { type: 'impact_in_receipt', id: receipt.id },
    metadata: { partner: receipt.partner, eventId: receipt.eventId, originalId: conflict.originalId },
  });
  await deps.outbox.publish(tx, { type: receiptConflict, payload: conflict });
};
