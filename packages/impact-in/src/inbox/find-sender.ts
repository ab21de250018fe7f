import type { Endpoint } from '../endpoints/endpoint.ts';
import type { EndpointDirectory } from '../endpoints/endpoint-directory.ts';
import { partnerOf } from '../partners/partner-of.ts';
import { readAccountHint } from '../partners/read-event.ts';
import type { PartnerName } from '../verification/profile.ts';
import type { Verified } from '../verification/verify-webhook.ts';
import {
  authenticate,
  pretendToAuthenticate,
  type Arrival,
  type RejectionReason,
  type TokenChecks,
} from './authenticate.ts';

export type Sender =
  | { valid: true; endpoint: Endpoint; verified: Verified }
  /** `endpoint` is the one that was addressed, if it exists. */
  | { valid: false; endpoint: Endpoint | null; reason: RejectionReason | 'unknown_endpoint' };

/** All endpoints, and what tokens need. */
export type SenderDeps = TokenChecks & { directory: EndpointDirectory };

/**
 * How many endpoints that claim one account are tried; the others are left out. One costs 2 µs with 1 KB, so that all
 * stay below a millisecond. The directory's order decides who is within: see `orderCandidates`.
 */
const maxCandidates = 256;
/** As much is signed anew for one request at most, about 10 ms for each secret of an endpoint: anyone may send it. */
const maxSignedBytes = 8 * 1_048_576;

const atItsAddress = async (
  partner: PartnerName,
  endpoint: Endpoint | undefined,
  arrival: Arrival,
  checks: TokenChecks,
): Promise<Sender> => {
  if (endpoint === undefined || endpoint.partner !== partner) {
    pretendToAuthenticate(partner, arrival);
    return endpoint === undefined
      ? { valid: false, endpoint: null, reason: 'unknown_endpoint' }
      : { valid: false, endpoint, reason: 'wrong_partner' };
  }
  const verified = await authenticate(endpoint, arrival, checks);
  return verified.valid ? { valid: true, endpoint, verified } : { valid: false, endpoint, reason: verified.reason };
};

/** The hint lies in the signed body, and exactly one endpoint's secret must fit: a hint alone decides nothing. */
const atTheBareAddress = async (
  partner: PartnerName,
  { directory, ...checks }: SenderDeps,
  arrival: Arrival,
  onContested: (candidates: number) => void,
): Promise<Sender> => {
  const hint = readAccountHint(partnerOf[partner], arrival.body);
  const candidates = hint === null ? [] : directory.findByHint(partner, hint);
  const [first] = candidates;
  if (first === undefined || candidates.length === 1) return atItsAddress(partner, first, arrival, checks);
  if (candidates.some(({ companyId }) => companyId !== first.companyId)) onContested(candidates.length);
  const proven: Extract<Sender, { valid: true }>[] = [];
  const tried = Math.min(maxCandidates, Math.floor(maxSignedBytes / Math.max(1, arrival.body.length)));
  for (const endpoint of candidates.slice(0, tried)) {
    // Nothing but a signature covers the body, hence the hint.
    if (endpoint.profile?.family !== 'hmac') continue;
    const verified = await authenticate(endpoint, arrival, checks);
    if (verified.valid) proven.push({ valid: true, endpoint, verified });
  }
  const [sender] = proven;
  if (proven.length === 1 && sender !== undefined) return sender;
  return { valid: false, endpoint: null, reason: 'signature_mismatch' };
};

/**
 * Finds out who sent a webhook, or that it cannot be said.
 *
 * @param onContested called when endpoints of more than one company claim the account, with how many endpoints do
 */
export const findSender = (
  deps: SenderDeps,
  webhook: { partner: PartnerName; endpointId: string | null },
  arrival: Arrival,
  onContested: (candidates: number) => void,
): Promise<Sender> =>
  webhook.endpointId === null
    ? atTheBareAddress(webhook.partner, deps, arrival, onContested)
    : atItsAddress(webhook.partner, deps.directory.find(webhook.endpointId), arrival, deps);
