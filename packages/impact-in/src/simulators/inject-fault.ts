import type { PartnerName, SchemeName } from '../verification/profile.ts';
import { makeEvent, type EventSeed, type SimulatedEvent } from './make-event.ts';
import { signRequest, type SignedRequest, type SignInput } from './sign-request.ts';
import {
  leaveOutHeader,
  otherSecret,
  reserialise,
  signByOtherFamily,
  tamper,
  unsignedSchemes,
} from './spoil-request.ts';

export type FaultInput = EventSeed & Pick<SignInput, 'scheme' | 'secret' | 'profile'> & { partner: PartnerName };

type Fault = {
  says: string;
  /** Statuses of the answers, in order. */
  expectedStatuses: readonly number[];
  /** Whether the second answer has to say that the event was known. */
  endsKnown?: true;
  /** Schemes that cannot show this fault. */
  notFor?: readonly SchemeName[];
  requests(input: FaultInput, event: SimulatedEvent): SignedRequest[];
};

const weakSchemes: readonly SchemeName[] = ['benevity-legacy', 'goodera-legacy', 'workday-legacy'];
/** Whose whole proof is one header: without it nothing is left. */
const oneHeader: readonly SchemeName[] = [...unsignedSchemes, ...weakSchemes, 'benevity-hmac'];
/** What they show is good for any body, until it ends or is changed. */
const reusable: readonly SchemeName[] = ['workday-oauth', 'workday-basic', 'goodera-unsigned'];

/** Twice the tolerance, so that neither a slow network nor a skewed clock turns the fault into a valid request. */
const skewMs = 600_000;
/** Twice the age that an event may have where its signature tells no time. */
const oldMs = 2 * 86_400_000;
/** More than the 256 KiB that endpoints accept unless they are told otherwise. */
const hugeCharacters = 300_000;

const sign = (input: FaultInput, event: SimulatedEvent, change: Partial<FaultInput & { body: Buffer }> = {}) =>
  signRequest({ body: event.body, ...input, eventId: event.eventId, ...change });

/** Made and signed at another time. */
const signAt = (input: FaultInput, nowMs: number): SignedRequest => {
  const then = { ...input, nowMs };
  return sign(then, makeEvent(input.partner, then));
};

const tellsNoTime = ({ scheme, profile }: FaultInput): boolean =>
  weakSchemes.includes(scheme) || profile?.signedTemplate?.includes('{ts}') === false;

/** The event with one field more or changed. */
const withField = (event: SimulatedEvent, field: string, value: string): Buffer =>
  Buffer.from(JSON.stringify({ ...event.payload, [field]: value }));

const faultTable = {
  good: {
    says: 'a signed event',
    expectedStatuses: [200],
    requests: (input, event) => [sign(input, event)],
  },
  duplicate: {
    says: 'the same event sent twice',
    expectedStatuses: [200, 200],
    endsKnown: true,
    requests: (input, event) => [sign(input, event), sign(input, event)],
  },
  conflict: {
    says: 'another event under the same id',
    expectedStatuses: [200, 200],
    endsKnown: true,
    // A partner's own token vouches for one body.
    notFor: ['workday-jwt', 'benevity-jwt'],
    requests: (input, event) => {
      const body = withField(event, 'note', 'this was not there before');
      return [sign(input, event), sign(input, event, { body })];
    },
  },
  replayedCapture: {
    says: 'the headers of a captured event with another one',
    expectedStatuses: [200, 401],
    notFor: reusable,
    requests: (input, event) => {
      const captured = sign(input, event);
      const other = makeEvent(input.partner, { ...input, seed: `${input.seed} other` });
      return [captured, { ...captured, body: other.body }];
    },
  },
  tampered: {
    says: 'an event changed after it was signed',
    expectedStatuses: [401],
    requests: (input, event) => [tamper(input.scheme, sign(input, event))],
  },
  reserialised: {
    says: 'an event whose JSON was written anew on the way',
    expectedStatuses: [401],
    notFor: unsignedSchemes,
    requests: (input, event) => [reserialise(sign(input, event))],
  },
  stale: {
    says: 'an event signed too long ago',
    expectedStatuses: [401],
    notFor: unsignedSchemes,
    requests: (input) => [signAt(input, input.nowMs - (tellsNoTime(input) ? oldMs : skewMs))],
  },
  future: {
    says: 'an event signed ten minutes from now',
    expectedStatuses: [401],
    notFor: unsignedSchemes,
    requests: (input) => [signAt(input, input.nowMs + skewMs)],
  },
  malformed: {
    says: 'an authentic event of a type nobody knows',
    expectedStatuses: [202],
    requests: (input, event) => {
      const typeField = input.partner === 'benevity' ? 'event_type' : 'eventType';
      return [sign(input, event, { body: withField(event, typeField, 'something.else') })];
    },
  },
  badJson: {
    says: 'authentic bytes that are not JSON',
    expectedStatuses: [202],
    // They tell their time in the JSON.
    notFor: weakSchemes,
    requests: (input, event) => [sign(input, event, { body: event.body.subarray(0, -1) })],
  },
  hugeBody: {
    says: 'a signed event of 300 KB',
    expectedStatuses: [413],
    requests: (input) => {
      const event = makeEvent(input.partner, { ...input, fillerCharacters: hugeCharacters });
      return [sign(input, event)];
    },
  },
  wrongSecret: {
    says: 'an event signed with another secret',
    expectedStatuses: [401],
    requests: (input, event) => [sign(input, event, { secret: otherSecret(input, input.seed) })],
  },
  wrongFamily: {
    says: 'an event that proves itself in another way',
    expectedStatuses: [401],
    requests: (input, event) => [signByOtherFamily({ ...input, body: event.body, eventId: event.eventId })],
  },
  missingHeader: {
    says: 'an event without one of its headers',
    expectedStatuses: [401],
    notFor: oneHeader,
    requests: (input, event) => [leaveOutHeader(sign(input, event))],
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
export const faultNames = Object.keys(faults) as FaultName[];

/** The faults that a scheme can show; a client cannot make a bearer token of another time. */
export const faultsOf = (scheme: SchemeName): FaultName[] =>
  faultNames.filter((name) => !faults[name].notFor?.includes(scheme));

/** The statuses that a receiver of this scheme answers with: what nobody has signed is only kept at first. */
export const expectedStatusesOf = (fault: FaultName, scheme: SchemeName): readonly number[] => {
  const [first = 0, ...more] = faults[fault].expectedStatuses;
  return [scheme === 'goodera-unsigned' && first === 200 ? 202 : first, ...more];
};

/** The requests, in order, of a simulated partner that shows this fault. */
export const injectFault = (fault: FaultName, input: FaultInput): SignedRequest[] =>
  faults[fault].requests(input, makeEvent(input.partner, input));
