import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEvent } from './audit-event.ts';
import { redactString } from './redact-sensitive.ts';
import { toJsonValue, type JsonValue } from './to-json-value.ts';

/** The evidence of one event, as it is hashed. Fields that do not apply are absent. */
export type EventBody = {
  v: 1;
  id: string;
  /** ISO 8601, UTC, milliseconds. */
  at: string;
  companyId: string | null;
  type: string;
  category: string;
  severity: string;
  result: string;
  actor: { kind: string; id: string };
  resource?: { type: string; id: string };
  request?: { id: string; ip: string; userAgent?: string };
  changes?: JsonValue;
  metadata?: JsonValue;
};

/** Longest body in bytes: entries of a tlog-tiles bundle carry a 16-bit length (https://c2sp.org/tlog-tiles). */
export const maxBodyBytes = 65_535;
const maxUserAgentLength = 512;

const requestOf = (request: NonNullable<AuditEvent['request']>): NonNullable<EventBody['request']> => ({
  id: request.id.toWellFormed(),
  ip: request.ip.toWellFormed(),
  ...(request.userAgent === undefined
    ? {}
    : { userAgent: redactString(request.userAgent).slice(0, maxUserAgentLength).toWellFormed() }),
});

const idsOf = <T extends Record<string, string>>(value: T): T =>
  Object.fromEntries(Object.entries(value).map(([name, text]) => [name, text.toWellFormed()])) as T;

/** The body of an event, with defaults filled in, secrets removed and nothing in it that is not JSON. */
export const eventBody = (event: AuditEvent, stamp: { id: string; at: Date; companyId: string | null }): EventBody => ({
  v: 1,
  id: stamp.id,
  at: stamp.at.toISOString(),
  companyId: stamp.companyId,
  type: event.type,
  category: event.category,
  severity: event.severity ?? 'info',
  result: event.result ?? 'success',
  actor: idsOf({ kind: event.actor.kind, id: event.actor.id }),
  ...(event.resource === undefined ? {} : { resource: idsOf({ type: event.resource.type, id: event.resource.id }) }),
  ...(event.request === undefined ? {} : { request: requestOf(event.request) }),
  ...(event.changes === undefined ? {} : { changes: toJsonValue(event.changes, 'changes') }),
  ...(event.metadata === undefined ? {} : { metadata: toJsonValue(event.metadata, 'metadata') }),
});

const encode = (value: JsonValue | EventBody): Buffer => Buffer.from(canonicalize(value) as string);

/** Stands in for what was too long, so that it can still be proven by whoever has it. */
const digestOf = (value: JsonValue): JsonValue => {
  const bytes = encode(value);
  return { omittedBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
};

/**
 * The exact bytes that are stored and hashed (RFC 8785). When they would be too long, `metadata` and then `changes` give
 * way to their digest: an event must not fail because of the size of what it describes.
 */
export const encodeEventBody = (body: EventBody): Buffer => {
  let bytes = encode(body);
  for (const field of ['metadata', 'changes'] as const) {
    const value = body[field];
    if (bytes.length <= maxBodyBytes || value === undefined) continue;
    body = { ...body, [field]: digestOf(value) };
    bytes = encode(body);
  }
  return bytes;
};
