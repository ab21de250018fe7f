import type { HmacProfile } from '../../verification/profile.ts';
import type { HeaderRead } from '../../verification/read-header.ts';
import { decodeSignature } from '../../verification/decode-signature.ts';
import { containerText, formatText, shapeOf, spanOf } from './describe-text.ts';
import type { Presented } from './presented.ts';

export type HmacFacts = {
  profile: HmacProfile;
  presented: Presented;
  receivedAtMs: number;
  bodyBytes: number;
  /** Ids of the secrets that were valid at arrival, and are today. */
  secretIds: { atArrival: readonly string[]; today: readonly string[] };
  /** Which of them proved the request at arrival. */
  matchedSecretId: string | null;
};

const headerText = (name: string | undefined, read: HeaderRead | null): string => {
  if (read === null) return 'The scheme signs none.';
  const place = name === undefined ? 'in the signature’s header' : `in the header ${name}`;
  if (read.value !== null) return `Present ${place}: ${shapeOf(read.value)}.`;
  if (read.fault === 'absent') return `Absent ${place}.`;
  if (read.fault === 'duplicate_header') return `Sent more than once ${place}; it must be there once.`;
  return read.fault === 'header_too_long' ? `Longer than 4,096 characters ${place}.` : `Given more than once ${place}.`;
};

const signatureShape = ({ profile, presented }: HmacFacts): string => {
  const { signature, contained } = presented;
  const expected = `Expected: ${containerText(profile)}.`;
  if (signature.value === null) return expected;
  if (contained === null) return `${expected} The header is ${shapeOf(signature.value)}.`;
  const { signatures } = contained;
  if (signatures.length === 0) return `${expected} The header holds no signature of version 1.`;
  const wrong = signatures.filter((text) => decodeSignature(text, profile.encoding) === null);
  const found = `Found: ${signatures.length === 1 ? 'one signature' : `${signatures.length} signatures`}`;
  return wrong.length === 0
    ? `${found} in the expected shape.`
    : `${expected} ${found}; not decodable: ${[...new Set(wrong.map(shapeOf))].slice(0, 5).join(', ')}.`;
};

const clock = ({ profile, presented: { timestampMs }, receivedAtMs }: HmacFacts): string => {
  if (profile.timestampFormat === 'none') return 'The scheme signs no timestamp.';
  if (timestampMs === null || Math.abs(timestampMs) > 8.64e15)
    return 'Without a readable timestamp nothing can be compared.';
  const differenceMs = timestampMs - receivedAtMs;
  const place = differenceMs > 0 ? 'ahead of' : 'behind';
  return `The timestamp, ${new Date(timestampMs).toISOString()}, is ${spanOf(differenceMs)} ${place} the hub’s clock at arrival; ${profile.toleranceSeconds} s are allowed either way.`;
};

/** The signed text with lengths in place of its parts. */
const signedText = ({ profile, presented, bodyBytes }: HmacFacts): string => {
  const partOf = (read: HeaderRead | null): string =>
    read === null || read.value === null ? 'missing' : `${read.value.length} characters`;
  return profile.signedTemplate
    .replace('{ts}', `<timestamp: ${partOf(presented.timestamp)}>`)
    .replace('{id}', `<event id: ${partOf(presented.eventId)}>`)
    .replace('{body}', `<body: ${bodyBytes} bytes>`);
};

const list = (ids: readonly string[]): string => (ids.length === 0 ? 'none' : ids.join(', '));

/** What can be said about the steps of an HMAC scheme in particular, by the step's name. */
export const hmacDetails: Readonly<Record<string, (facts: HmacFacts) => string>> = {
  scheme: ({ profile }) => `${profile.title}.`,
  signature_header: ({ profile, presented }) => headerText(profile.signatureHeader, presented.signature),
  signature_shape: signatureShape,
  timestamp_header: ({ profile, presented }) => headerText(profile.timestampHeader, presented.timestamp),
  event_id_header: ({ profile, presented }) => headerText(profile.idHeader, presented.eventId),
  timestamp_format: ({ profile, presented: { timestamp } }) => {
    if (timestamp === null) return 'The scheme signs no timestamp.';
    const found = timestamp.value === null ? '' : ` Found: ${shapeOf(timestamp.value)}.`;
    return `Expected: ${formatText(profile)}.${found}`;
  },
  clock,
  secrets: ({ secretIds: { atArrival, today } }) =>
    `Valid at arrival: ${list(atArrival)}. Valid today: ${list(today)}.`,
  signature: (facts) => {
    const { matchedSecretId: matched } = facts;
    const result = matched === null ? '' : ` Secret ${matched} made one of the signatures.`;
    return `Signed with HMAC-SHA256 is ${signedText(facts)}.${result}`;
  },
};
