import { createHash } from 'node:crypto';
import type { PartnerName, SchemeName } from '../verification/profile.ts';
import { makeEvent, type EventSeed, type SimulatedEvent } from './make-event.ts';
import { signRequest, type SignedRequest, type SignInput } from './sign-request.ts';

export type FaultInput = EventSeed & Pick<SignInput, 'scheme' | 'secret' | 'profile'> & { partner: PartnerName };

type Fault = {
  says: string;
  /** Statuses of the answers, in order. */
  expectedStatuses: readonly number[];
  /** Schemes that cannot show this fault. */
  notFor?: readonly SchemeName[];
  requests(input: FaultInput, event: SimulatedEvent): SignedRequest[];
};

/** Schemes whose requests carry no time that the sender chooses. */
const withoutTime: readonly SchemeName[] = [
  'workday-oauth',
  'workday-jwt',
  'benevity-jwt',
  'workday-basic',
  'goodera-unsigned',
  'benevity-legacy',
  'goodera-legacy',
  'workday-legacy',
];
/** Schemes that show who sends and not what, by the header that does so. */
const credentialHeaders: Partial<Record<SchemeName, string>> = {
  'workday-oauth': 'Authorization',
  'workday-jwt': 'Authorization',
  'benevity-jwt': 'Authorization',
  'workday-basic': 'Authorization',
  'goodera-unsigned': 'X-Webhook-Token',
};

/** Twice the tolerance, so that neither a slow network nor a skewed clock turns the fault into a valid request. */
const skewMs = 600_000;

const sign = (input: FaultInput, event: SimulatedEvent, change: Partial<FaultInput & { body: Buffer }> = {}) =>
  signRequest({ body: event.body, ...input, eventId: event.eventId, ...change });

const changeOneLetter = (text: string): string => text.replace(/.(?=.$)/, (letter) => (letter === 'A' ? 'B' : 'A'));

/** One letter of the body differs from what was signed; where nothing is, one of the token or password. */
const tamper = (scheme: SchemeName, request: SignedRequest): SignedRequest => {
  const { headers } = request;
  const header = credentialHeaders[scheme];
  if (header !== undefined)
    return { ...request, headers: { ...headers, [header]: changeOneLetter(headers[header] ?? '') } };
  const body = Buffer.from(request.body);
  const at = body.lastIndexOf('Z"');
  body.writeUInt8(body.readUInt8(at - 1) === 0x30 ? 0x31 : 0x30, at - 1);
  return { headers, body };
};

const otherSecret = ({ scheme, secret, seed }: FaultInput): string => {
  if (scheme === 'workday-basic') return `${secret.slice(0, secret.indexOf(':'))}:not the password`;
  if (scheme === 'goodera-unsigned') return 'not the token';
  if (credentialHeaders[scheme] !== undefined)
    return `${secret.slice(0, secret.lastIndexOf('.') + 1)}${'A'.repeat(86)}`;
  return `whsec_${createHash('sha256').update(`not the secret ${seed}`).digest('base64')}`;
};

const faultTable = {
  good: {
    says: 'a signed event',
    expectedStatuses: [200],
    requests: (input, event) => [sign(input, event)],
  },
  duplicate: {
    says: 'the same event sent twice',
    expectedStatuses: [200, 200],
    requests: (input, event) => [sign(input, event), sign(input, event)],
  },
  tampered: {
    says: 'an event changed after it was signed',
    expectedStatuses: [401],
    requests: (input, event) => [tamper(input.scheme, sign(input, event))],
  },
  stale: {
    says: 'an event signed ten minutes ago',
    expectedStatuses: [401],
    notFor: withoutTime,
    requests: (input, event) => [sign(input, event, { nowMs: input.nowMs - skewMs })],
  },
  future: {
    says: 'an event signed ten minutes from now',
    expectedStatuses: [401],
    notFor: withoutTime,
    requests: (input, event) => [sign(input, event, { nowMs: input.nowMs + skewMs })],
  },
  malformed: {
    says: 'an authentic event of a type nobody knows',
    expectedStatuses: [202],
    requests: (input, event) => {
      const typeField = input.partner === 'benevity' ? 'event_type' : 'eventType';
      const body = Buffer.from(JSON.stringify({ ...event.payload, [typeField]: 'something.else' }));
      return [sign(input, event, { body })];
    },
  },
  badJson: {
    says: 'authentic bytes that are not JSON',
    expectedStatuses: [202],
    requests: (input, event) => [sign(input, event, { body: event.body.subarray(0, -1) })],
  },
  wrongSecret: {
    says: 'an event signed with another secret',
    expectedStatuses: [401],
    requests: (input, event) => [sign(input, event, { secret: otherSecret(input) })],
  },
  unsigned: {
    says: 'an event without a signature',
    expectedStatuses: [401],
    requests: (_input, event) => [{ headers: { 'Content-Type': 'application/json' }, body: event.body }],
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faultTable;

/** What a simulated partner can do right or wrong. */
export const faults: Record<FaultName, Fault> = faultTable;

/** The faults that a scheme can show; a client cannot make a bearer token of another time. */
export const faultsOf = (scheme: SchemeName): FaultName[] =>
  (Object.keys(faults) as FaultName[]).filter((name) => !faults[name].notFor?.includes(scheme));

/** The requests, in order, of a simulated partner that shows this fault. */
export const injectFault = (fault: FaultName, input: FaultInput): SignedRequest[] =>
  faults[fault].requests(input, makeEvent(input.partner, input));
