import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { decodeSignature } from './decode-signature.ts';
import { parseTimestamp } from './parse-timestamp.ts';
import { planVerification, type VerificationPlan } from './plan-verification.ts';
import type { HmacProfile } from './profile.ts';
import { isEncoded, readHeader } from './read-header.ts';
import { containers } from './signature-containers.ts';
import { refuse, type Refusal, type VerificationFailure } from './verification-failure.ts';

/** A secret that is active now; `key` is made once by `secretKey` and kept, not made per request. */
export type ActiveSecret = { id: string; key: KeyObject };

export type Verified = {
  valid: true;
  /** Which secret matched, so that an operator sees when an old one is idle. */
  secretId: string;
  /** A second secret that had to match, where the scheme has two. */
  otherSecretId?: string;
  timestampMs: number | null;
  /** The signed event id header, if the scheme has one. */
  eventIdFromHeader: string | null;
};

export type HmacRequest = {
  profile: HmacProfile;
  secrets: readonly ActiveSecret[];
  /** `IncomingMessage.rawHeaders`. */
  rawHeaders: readonly string[];
  /** The bytes received. They are never decoded, so a body in any character set verifies. */
  body: Buffer;
  nowMs: number;
};

/** Printable ASCII without the full stop: with one, `<id>.<ts>.<body>` could be read in two ways. */
const eventIdPattern = /^[!-\-/-~]{1,256}$/;

type Presented = { signatures: Buffer[]; timestampText: string; eventId: string | null };

const readPresented = (plan: VerificationPlan, request: HmacRequest): Presented | VerificationFailure => {
  const { profile, rawHeaders } = request;
  const signature = readHeader(rawHeaders, plan.signatureHeader);
  if (signature.value === null) return signature.fault === 'absent' ? 'missing_signature' : signature.fault;
  const contained = containers[profile.container](signature.value, profile);
  if (contained === null) return 'malformed_signature';
  if (contained.signatures.length === 0) return 'missing_signature';
  const signatures: Buffer[] = [];
  for (const text of contained.signatures) {
    const decoded = decodeSignature(text, profile.encoding);
    if (decoded === null) return 'malformed_signature';
    signatures.push(decoded);
  }

  let timestampText = '';
  if (plan.timestampHeader !== null) {
    const timestamp = readHeader(rawHeaders, plan.timestampHeader);
    if (timestamp.value === null) return timestamp.fault === 'absent' ? 'missing_timestamp' : timestamp.fault;
    timestampText = timestamp.value;
  } else if (profile.timestampFormat !== 'none') {
    const [first, second] = contained.timestamps;
    if (first === undefined) return 'missing_timestamp';
    if (second !== undefined) return 'malformed_timestamp';
    timestampText = first;
  }

  if (plan.idHeader === null) return { signatures, timestampText, eventId: null };
  const id = readHeader(rawHeaders, plan.idHeader);
  if (id.value === null) return id.fault === 'absent' ? 'missing_event_id' : id.fault;
  if (!eventIdPattern.test(id.value)) return 'malformed_event_id';
  return { signatures, timestampText, eventId: id.value };
};

const preambleOf = (plan: VerificationPlan, presented: Presented): string => {
  let text = '';
  for (const piece of plan.preamble)
    text += 'literal' in piece ? piece.literal : piece.field === 'ts' ? presented.timestampText : presented.eventId;
  return text;
};

/** Compares every presented signature with every secret's, without stopping at a match, so that time tells nothing. */
const matchSecret = (secrets: readonly ActiveSecret[], preamble: string, body: Buffer, signatures: Buffer[]) => {
  let matchedId: string | null = null;
  for (const secret of secrets) {
    const expected = createHmac('sha256', secret.key).update(preamble, 'latin1').update(body).digest();
    for (const presented of signatures) if (timingSafeEqual(expected, presented)) matchedId ??= secret.id;
  }
  return matchedId;
};

/**
 * Decides whether a webhook is authentic and fresh. Pure and synchronous; refuses in every doubtful case and throws
 * for no input. A list with one undecodable signature is refused as a whole, even if another one would match.
 */
export const verifyHmac = (request: HmacRequest): Verified | Refusal => {
  const { profile, nowMs } = request;
  const plan = planVerification(profile);
  if (plan === null) return refuse('profile_invalid');
  if (isEncoded(request.rawHeaders)) return refuse('content_encoding');
  const presented = readPresented(plan, request);
  if (typeof presented === 'string') return refuse(presented);

  let timestampMs: number | null = null;
  if (profile.timestampFormat !== 'none') {
    timestampMs = parseTimestamp(presented.timestampText, profile.timestampFormat);
    if (timestampMs === null) return refuse('malformed_timestamp');
    const ageMs = nowMs - timestampMs;
    const toleranceMs = profile.toleranceSeconds * 1_000;
    if (ageMs > toleranceMs) return refuse('timestamp_too_old');
    // Written so that an age that is not a number is refused as well.
    if (!(ageMs >= -toleranceMs)) return refuse('timestamp_in_future');
  }

  // An empty key is one that everybody knows.
  const secrets = request.secrets.filter(({ key }) => (key.symmetricKeySize ?? 0) > 0);
  if (secrets.length === 0) return refuse('no_active_secret');
  const secretId = matchSecret(secrets, preambleOf(plan, presented), request.body, presented.signatures);
  if (secretId === null) return refuse('signature_mismatch');
  return { valid: true, secretId, timestampMs, eventIdFromHeader: presented.eventId };
};
