import type { Endpoint } from '../endpoints/endpoint.ts';
import type { EndpointDirectory } from '../endpoints/endpoint-directory.ts';
import { partnerOf } from '../partners/partner-of.ts';
import { readAccountHint } from '../partners/read-event.ts';
import type { PartnerName } from '../verification/profile.ts';
import type { Verified } from '../verification/verify-webhook.ts';
import { authenticate, pretendToAuthenticate, type Arrival, type RejectionReason } from './authenticate.ts';

export type Sender =
  | { valid: true; endpoint: Endpoint; verified: Verified }
  /** `endpoint` is the one that was addressed, if it exists. */
  | { valid: false; endpoint: Endpoint | null; reason: RejectionReason | 'unknown_endpoint' };

/**
 * How many endpoints that claim one account are tried; the others are left out. One costs 2 µs with 1 KB, so that all
 * stay below a millisecond. The directory's order decides who is within: see `orderCandidates`.
 */
const maxCandidates = 256;

const atItsAddress = async (
  partner: PartnerName,
  endpoint: Endpoint | undefined,
  arrival: Arrival,
): Promise<Sender> => {
  if (endpoint === undefined || endpoint.partner !== partner) {
    pretendToAuthenticate(partner, arrival);
    return endpoint === undefined
      ? { valid: false, endpoint: null, reason: 'unknown_endpoint' }
      : { valid: false, endpoint, reason: 'wrong_partner' };
  }
  const verified = await authenticate(endpoint, arrival);
  return verified.valid ? { valid: true, endpoint, verified } : { valid: false, endpoint, reason: verified.reason };
};

/** The hint lies in the signed body, and exactly one endpoint's secret must fit: a hint alone decides nothing. */
const atTheBareAddress = async (
  partner: PartnerName,
  directory: EndpointDirectory,
  arrival: Arrival,
  onContested: (candidates: number) => void,
): Promise<Sender> => {
  const hint = readAccountHint(partnerOf[partner], arrival.body);
  const candidates = hint === null ? [] : directory.findByHint(partner, hint);
  const [first] = candidates;
  if (first === undefined || candidates.length === 1) return atItsAddress(partner, first, arrival);
  if (candidates.some(({ companyId }) => companyId !== first.companyId)) onContested(candidates.length);
  const proven: Extract<Sender, { valid: true }>[] = [];
  for (const endpoint of candidates.slice(0, maxCandidates)) {
    const verified = await authenticate(endpoint, arrival);
    // A bearer token does not cover the body, hence not the hint.
    if (verified.valid && endpoint.profile?.family === 'hmac') proven.push({ valid: true, endpoint, verified });
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
  directory: EndpointDirectory,
  webhook: { partner: PartnerName; endpointId: string | null },
  arrival: Arrival,
  onContested: (candidates: number) => void,
): Promise<Sender> =>
  webhook.endpointId === null
    ? atTheBareAddress(webhook.partner, directory, arrival, onContested)
    : atItsAddress(webhook.partner, directory.find(webhook.endpointId), arrival);
