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

/** More endpoints than this that claim one account are not tried: somebody would be spending our time. */
const maxCandidates = 32;

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
): Promise<Sender> => {
  const hint = readAccountHint(partnerOf[partner], arrival.body);
  const candidates = hint === null ? [] : directory.findByHint(partner, hint);
  const only = candidates.length === 1 ? candidates[0] : undefined;
  if (candidates.length === 0 || candidates.length > maxCandidates) return atItsAddress(partner, undefined, arrival);
  if (only !== undefined) return atItsAddress(partner, only, arrival);
  const proven: Extract<Sender, { valid: true }>[] = [];
  for (const endpoint of candidates) {
    const verified = await authenticate(endpoint, arrival);
    // A bearer token does not cover the body, hence not the hint.
    if (verified.valid && endpoint.profile?.family === 'hmac') proven.push({ valid: true, endpoint, verified });
  }
  const [sender] = proven;
  if (proven.length === 1 && sender !== undefined) return sender;
  return { valid: false, endpoint: null, reason: 'signature_mismatch' };
};

/** Finds out who sent a webhook, or that it cannot be said. */
export const findSender = (
  directory: EndpointDirectory,
  webhook: { partner: PartnerName; endpointId: string | null },
  arrival: Arrival,
): Promise<Sender> =>
  webhook.endpointId === null
    ? atTheBareAddress(webhook.partner, directory, arrival)
    : atItsAddress(webhook.partner, directory.find(webhook.endpointId), arrival);
