import { profileOfEndpoint } from '../../endpoints/new-secrets.ts';
import type { ReceiptSummary } from '../../deliveries/receipt-repository.ts';
import type { KeptRequest } from '../../inbox/seal-request.ts';
import type { EndpointRow } from '../../tables.ts';
import type { Profile } from '../../verification/profile.ts';
import { verificationFailures, type VerificationFailure } from '../../verification/verification-failure.ts';
import { hmacDetails, type HmacFacts } from './hmac-details.ts';
import { readPresented } from './presented.ts';
import { stepsOf, type Step } from './steps.ts';

export type Check = {
  name: string;
  outcome: 'passed' | 'failed' | 'not_reached';
  detail: string;
  advice: string | null;
};

/** Reasons that do not come from verifying. */
const otherReasons: Readonly<Record<string, string>> = {
  network_not_allowed: 'The request came from an address that may not send to this endpoint.',
  wrong_partner: 'The address names another partner than the endpoint’s.',
  endpoint_paused: 'The endpoint was paused; the sender was asked to send the event again later.',
  token_use_unknown: 'It could not be found out in time whether the token had been used before.',
  not_json: 'The body is authentic, but not JSON in UTF-8.',
  schema_mismatch: 'The body is authentic, but no event that the hub knows of this partner.',
  unstorable_value: 'The body is authentic, but holds a value that cannot be stored.',
  awaiting_confirmation: 'Nobody signed the event; it waits until the partner’s API has confirmed it.',
};

/** `schema_mismatch: …` is of the kind `schema_mismatch`. */
export const kindOfReason = (reason: string | null): string | null => reason?.split(':', 1)[0] ?? null;

export const reasonText = (reason: string | null): string => {
  const kind = kindOfReason(reason) ?? '';
  if (Object.hasOwn(verificationFailures, kind)) return verificationFailures[kind as VerificationFailure];
  return otherReasons[kind] ?? `It was set aside: ${kind}.`;
};

/** The endpoint's profile of today with its own tolerance; null when it has none that can be used. */
export const profileFor = (endpoint: EndpointRow | undefined): Profile | null => {
  const profile = endpoint === undefined ? null : profileOfEndpoint(endpoint);
  if (profile?.family !== 'hmac' || endpoint === undefined) return profile;
  return { ...profile, toleranceSeconds: endpoint.toleranceSeconds };
};

export type StepFacts = {
  receipt: ReceiptSummary;
  endpoint: EndpointRow | undefined;
  profile: Profile;
  kept: KeptRequest | undefined;
  secretIds: HmacFacts['secretIds'];
};

const hmacFactsOf = ({ receipt, profile, kept, secretIds }: StepFacts): HmacFacts | null => {
  if (profile.family !== 'hmac' || kept === undefined) return null;
  const presented = readPresented(profile, kept.rawHeaders);
  if (presented === null) return null;
  const { bodyBytes, secretId: matchedSecretId } = receipt;
  return { profile, presented, receivedAtMs: receipt.receivedAt.getTime(), bodyBytes, secretIds, matchedSecretId };
};

/** A reason that several headers can have is that of the first header that shows it. */
const refusingStep = (steps: readonly Step[], reason: string, facts: HmacFacts | null): number => {
  const candidates = steps.flatMap(({ reasons }, index) => (reasons.includes(reason) ? [index] : []));
  const { presented } = facts ?? {};
  const read = {
    signature_header: presented?.signature,
    timestamp_header: presented?.timestamp,
    event_id_header: presented?.eventId,
  };
  const shows = (index: number): boolean => {
    const header = read[steps[index]?.name as keyof typeof read];
    return header !== undefined && header !== null && header.value === null && header.fault === reason;
  };
  return candidates.find(shows) ?? candidates[0] ?? -1;
};

const networkDetail = ({ kept, endpoint }: StepFacts): string =>
  endpoint?.allowedNetworks === null || endpoint === undefined
    ? 'Anybody may send to this endpoint today.'
    : `The request came from ${kept?.ip ?? 'an address that is not kept'}; today ${endpoint.allowedNetworks.join(', ')} may send.`;

const eventCheck = ({ outcome, originalId, eventId }: ReceiptSummary): Check => {
  const name = 'event';
  const by = eventId === null ? 'its bytes' : 'its event id';
  if (outcome === 'duplicate')
    return {
      name,
      outcome: 'passed',
      detail: `The event had been taken before, as ${originalId}; known by ${by}.`,
      advice: null,
    };
  if (outcome === 'conflict')
    return {
      name,
      outcome: 'failed',
      detail: `Its event id had been taken before, as ${originalId}, with other bytes. The first one counts.`,
      advice: 'Ask the partner which of the two is right; an event that changes needs an id of its own.',
    };
  return { name, outcome: 'passed', detail: `The event was new; it is known by ${by}.`, advice: null };
};

/** Where the request got to, line by line, by what was decided at arrival; the details are worked out from its copy. */
export const explainSteps = (facts: StepFacts): Check[] => {
  const { receipt, profile } = facts;
  const steps = stepsOf(profile.family);
  const ofHmac = hmacFactsOf(facts);
  const isTaken = !['rejected', 'quarantined'].includes(receipt.outcome);
  const reason = kindOfReason(receipt.reason) ?? '';
  const refusing = isTaken ? steps.length : refusingStep(steps, reason, ofHmac);
  // Not decided by this scheme: the endpoint had another one then, or the reason is not known any more.
  if (refusing < 0)
    return [
      { name: 'decision', outcome: 'failed', detail: reasonText(receipt.reason), advice: null },
      ...steps.map(({ name }): Check => ({
        name,
        outcome: 'not_reached',
        detail: 'Not decided by the scheme of today.',
        advice: null,
      })),
    ];
  const checks = steps.map(({ name, passed, advice }, index): Check => {
    const outcome = index < refusing ? 'passed' : index === refusing ? 'failed' : 'not_reached';
    const said = {
      passed,
      failed: reasonText(receipt.reason),
      not_reached: 'The request was decided before this was looked at.',
    }[outcome];
    const more = name === 'network' ? networkDetail(facts) : ofHmac === null ? undefined : hmacDetails[name]?.(ofHmac);
    return {
      name,
      outcome,
      detail: more === undefined ? said : `${said} ${more}`,
      advice: outcome === 'failed' ? advice : null,
    };
  });
  return isTaken ? [...checks, eventCheck(receipt)] : checks;
};
