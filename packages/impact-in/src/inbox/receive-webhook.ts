import { currentTraceparent, newId, type Clock } from '@impact-hub/core';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { EndpointDirectory } from '../endpoints/endpoint-directory.ts';
import type { HeardEndpoints } from '../endpoints/note-heard-endpoints.ts';
import type { MatchedSecrets } from '../endpoints/note-matched-secrets.ts';
import { partnerOf } from '../partners/partner-of.ts';
import { readEvent, type BodyRead } from '../partners/read-event.ts';
import { endpointPaused, inboxUnavailable, notAuthentic } from '../problems.ts';
import type { PartnerName } from '../verification/profile.ts';
import type { Verified } from '../verification/verify-webhook.ts';
import { undecided, type TokenChecks } from './authenticate.ts';
import { dedupeKeyOf, sha256 } from './dedupe-key.ts';
import { findSender } from './find-sender.ts';
import { InboxUnavailable, UnstorableRow } from './inbox-errors.ts';
import type { Inbox } from './open-inbox.ts';
import { rowOverheadBytes, type AuthenticReceiptRow, type ReceiptRow, type StoredReceipt } from './receipt-row.ts';
import { maxRejectedBodyBytes } from './record-rejected.ts';
import { retrySoon } from './retry-soon.ts';
import { sealRequest } from './seal-request.ts';
import { awaitingConfirmation } from './store-receipts.ts';

export type ReceiveDeps = TokenChecks & {
  endpoints: EndpointDirectory;
  matchedSecrets: MatchedSecrets;
  heardEndpoints: HeardEndpoints;
  inbox: Inbox;
  clock: Clock;
  publicUrl: string;
};

export type Webhook = {
  partner: PartnerName;
  /** Null at the bare address, where the body says whose it is. */
  endpointId: string | null;
  /** Of the address, for endpoints that have one. */
  urlToken: string | null;
  body: Buffer;
  /** By `performance.now()`. */
  arrivedAtMs: number;
  request: { id: string; ip: string; rawHeaders: readonly string[]; log: Record<string, unknown> };
};

export type Acknowledgement = { status: 200 | 202; body: { received: true; receiptId: string; duplicate?: true } };

const pausedRetryAfterSeconds = 300;

/** Says where a payload departs from the schema, not what it holds. */
export const quarantineReason = (read: Exclude<BodyRead, { outcome: 'event' }>): string => {
  if (read.outcome === 'not_json') return 'not_json';
  const places = read.issues.slice(0, 5).map((issue) => `${issue.path} ${issue.message}`);
  return `schema_mismatch: ${places.join('; ')}`
    .replaceAll(/[^\P{Cc}]/gu, ' ')
    .toWellFormed()
    .slice(0, 500);
};

const rowOf = (webhook: Webhook, endpoint: Endpoint): Omit<ReceiptRow, 'sealed'> => ({
  id: newId(),
  companyId: endpoint.companyId,
  endpointId: endpoint.id,
  partner: endpoint.partner,
  reason: null,
  eventId: null,
  eventType: null,
  correlationId: null,
  entityKey: null,
  secretId: null,
  requestId: webhook.request.id,
  bodyBytes: webhook.body.length,
  arrivedAtMs: webhook.arrivedAtMs,
});

/** The receipt of a webhook whose sender is proven. */
export const authenticRow = (webhook: Webhook, endpoint: Endpoint, verified: Verified): AuthenticReceiptRow => {
  const { body, request } = webhook;
  const read = readEvent(partnerOf[endpoint.partner], body);
  const base = rowOf(webhook, endpoint);
  const bodySha256 = sha256(body);
  const event = read.outcome === 'event' ? read.event : null;
  const isSigned = endpoint.profile?.family !== 'unsigned';
  const eventId = event?.eventId ?? verified.eventIdFromHeader;
  return {
    ...base,
    outcome: read.outcome === 'event' && isSigned ? 'accepted' : 'quarantined',
    reason: read.outcome !== 'event' ? quarantineReason(read) : isSigned ? null : awaitingConfirmation,
    eventId,
    eventType: event?.eventType ?? null,
    correlationId: event?.correlationId ?? null,
    entityKey: event?.entityKey ?? null,
    secretId: verified.secretId,
    dedupeKey: dedupeKeyOf(eventId, bodySha256),
    bodySha256,
    traceparent: currentTraceparent(),
    sealed: sealRequest(endpoint.sealer, base.id, { ip: request.ip, rawHeaders: request.rawHeaders, body }),
  };
};

const keepRejected = (deps: ReceiveDeps, webhook: Webhook, endpoint: Endpoint, reason: string): void => {
  const { ip, rawHeaders } = webhook.request;
  const body = webhook.body.subarray(0, maxRejectedBodyBytes);
  const bytes = rawHeaders.reduce((sum, text) => sum + text.length, body.length + rowOverheadBytes);
  if (!deps.inbox.rejected.admits(endpoint.id, ip, bytes)) return;
  const base = rowOf(webhook, endpoint);
  deps.inbox.rejected.record({
    ...base,
    reason,
    sealed: sealRequest(endpoint.sealer, base.id, { ip, rawHeaders, body }),
  });
};

const commit = async (inbox: Inbox, row: AuthenticReceiptRow): Promise<StoredReceipt & { quarantined: boolean }> => {
  try {
    return { ...(await inbox.submit(row)), quarantined: row.outcome === 'quarantined' };
  } catch (error) {
    if (!(error instanceof UnstorableRow)) throw error;
    // Proven to be the partner's, so it may not be lost: the sealed bytes can always be stored.
    const bare = { eventId: null, eventType: null, correlationId: null, entityKey: null, dedupeKey: row.bodySha256 };
    const stored = await inbox.submit({ ...row, ...bare, outcome: 'quarantined', reason: 'unstorable_value' });
    return { ...stored, quarantined: true };
  }
};

const acknowledge = (stored: StoredReceipt & { quarantined: boolean }): Acknowledgement => {
  const body = { received: true, receiptId: stored.receiptId } as const;
  // A conflict is told as a duplicate: the event id was taken before, and this copy will not be processed.
  if (stored.kind !== 'new') return { status: 200, body: { ...body, duplicate: true } };
  return { status: stored.quarantined ? 202 : 200, body };
};

/**
 * Takes one webhook: authenticates it, stores it, and only then acknowledges it. Nothing but the commit is waited
 * for, and nothing is written or looked up for a request that is not authentic.
 *
 * @throws ProblemError 401 for every failed authentication alike; 503 when the receipt is not known to be committed
 */
export const receiveWebhook = async (deps: ReceiveDeps, webhook: Webhook): Promise<Acknowledgement> => {
  const { endpoints, inbox, clock } = deps;
  const { partner, request, arrivedAtMs } = webhook;
  const answered = (outcome: Parameters<Inbox['metrics']['answered']>[1]): void => {
    request.log['outcome'] = outcome;
    inbox.metrics.answered(partner, outcome, performance.now() - arrivedAtMs);
  };

  if (!endpoints.isCurrent()) {
    answered('unavailable');
    throw inboxUnavailable({ headers: retrySoon(), context: { fault: 'endpoints_unknown' } });
  }
  const { body, urlToken } = webhook;
  const arrival = { ...request, body, urlToken, nowMs: clock.nowMs(), issuer: deps.publicUrl };
  const senders = { directory: endpoints, jwks: deps.jwks, tokenUses: deps.tokenUses };
  const sender = await findSender(senders, webhook, arrival, (candidates) => {
    request.log['contestedBy'] = candidates;
    inbox.metrics.contested(partner);
  });
  const { endpoint } = sender;
  if (endpoint !== null) request.log['endpointId'] = endpoint.id;
  if (!sender.valid) {
    request.log['reason'] = sender.reason;
    inbox.metrics.rejected(partner, sender.reason);
    if (undecided.has(sender.reason)) {
      answered('unavailable');
      throw inboxUnavailable({ headers: retrySoon(), context: { fault: sender.reason } });
    }
    if (endpoint !== null) keepRejected(deps, webhook, endpoint, sender.reason);
    answered('rejected');
    throw notAuthentic();
  }
  if (sender.endpoint.state === 'paused') {
    keepRejected(deps, webhook, sender.endpoint, 'endpoint_paused');
    answered('paused');
    throw endpointPaused({ headers: { 'retry-after': String(pausedRetryAfterSeconds) } });
  }
  const { secretId, otherSecretId } = sender.verified;
  deps.matchedSecrets.note(secretId, arrival.nowMs);
  if (otherSecretId !== undefined) deps.matchedSecrets.note(otherSecretId, arrival.nowMs);
  try {
    const stored = await commit(inbox, authenticRow(webhook, sender.endpoint, sender.verified));
    request.log['receiptId'] = stored.receiptId;
    // Not for what is repeated: whoever replays a captured request must not hide that the partner has fallen silent.
    if (stored.kind === 'new') deps.heardEndpoints.note(sender.endpoint.id, clock.nowMs());
    answered(stored.kind !== 'new' ? stored.kind : stored.quarantined ? 'quarantined' : 'accepted');
    return acknowledge(stored);
  } catch (error) {
    answered('unavailable');
    const fault = error instanceof InboxUnavailable ? error.fault : (error as Error).name;
    throw inboxUnavailable({ headers: retrySoon(), cause: error, context: { fault } });
  }
};
