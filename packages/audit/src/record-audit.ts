import { newId, systemClock, type Clock, type Tx } from '@impact-hub/core';
import type { AuditEvent } from './audit-event.ts';
import { encodeEventBody, eventBody } from './event-body.ts';
import { leafHash } from './leaf-hash.ts';
import { insertEvents, type NewEvent } from './repository.ts';

const typeName = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/;

const newEvent = (tx: Tx, event: AuditEvent, clock: Clock): NewEvent => {
  if (!typeName.test(event.type)) throw new TypeError(`audit event type ${JSON.stringify(event.type)} is malformed`);
  const companyId = event.companyId === undefined ? tx.companyId : event.companyId;
  const body = eventBody(event, { id: newId(), at: clock.now(), companyId });
  const bytes = encodeEventBody(body);
  return { body, bytes, hash: leafHash(bytes) };
};

/**
 * Records events in the caller's transaction: they are there exactly when the changes they describe are.
 *
 * @param tx a company transaction (events of that company only) or a system transaction
 * @returns the events' ids, in their order
 * @throws TypeError when a type is not `domain.what_happened` or a field has no exact JSON form
 */
export const recordAudits = async (
  tx: Tx,
  events: readonly AuditEvent[],
  clock: Clock = systemClock,
): Promise<string[]> => {
  const made = events.map((event) => newEvent(tx, event, clock));
  if (made.length > 0) await insertEvents(tx, made);
  return made.map(({ body }) => body.id);
};

/** Records one event, see `recordAudits`. @returns the event's id */
export const recordAudit = async (tx: Tx, event: AuditEvent, clock: Clock = systemClock): Promise<string> => {
  const [id] = await recordAudits(tx, [event], clock);
  return id ?? '';
};
