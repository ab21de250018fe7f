import { newId, systemClock, type Clock, type Tx } from '@impact-hub/core';
import type { AuditEvent } from './audit-event.ts';
import { encodeEventBody, eventBody } from './event-body.ts';
import { leafHash } from './leaf-hash.ts';
import { insertEvent } from './repository.ts';

const typeName = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;

/**
 * Records an event in the caller's transaction: it is there exactly when the change it describes is.
 *
 * @param tx a company transaction (events of that company only) or a system transaction
 * @returns the event's id
 * @throws TypeError when the type is not `domain.what_happened` or a field has no exact JSON form
 */
export const recordAudit = async (tx: Tx, event: AuditEvent, clock: Clock = systemClock): Promise<string> => {
  if (!typeName.test(event.type)) throw new TypeError(`audit event type ${JSON.stringify(event.type)} is malformed`);
  const companyId = event.companyId === undefined ? tx.companyId : event.companyId;
  const body = eventBody(event, { id: newId(), at: clock.now(), companyId });
  const bytes = encodeEventBody(body);
  await insertEvent(tx, body, bytes, leafHash(bytes));
  return body.id;
};
