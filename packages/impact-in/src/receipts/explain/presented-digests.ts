import { decodeSignature } from '../../verification/decode-signature.ts';
import { profiles, type HmacProfile, type Profile } from '../../verification/profile.ts';

/** A signature that was presented, as bytes, and whether it was written as the profile says. */
export type PresentedDigest = { digest: Buffer; encoding: 'hex' | 'base64'; asExpected: boolean };

/** More than any sender presents at once. */
const maxDigests = 8;
/** Whatever surrounds it: 32 bytes in hexadecimal digits, or in base64 of any kind. */
const anyDigest =
  /(?<![A-Za-z0-9])[0-9a-fA-F]{64}(?![A-Za-z0-9])|(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=?(?![A-Za-z0-9+/_-])/g;

/** All signatures of a text that can be read in any way. */
export const digestsIn = (text: string, profile: HmacProfile): PresentedDigest[] =>
  (text.slice(0, 4_096).match(anyDigest) ?? []).slice(0, maxDigests).map((found) => {
    const encoding = /^[0-9a-fA-F]{64}$/.test(found) ? 'hex' : 'base64';
    return {
      digest: Buffer.from(found, encoding),
      encoding,
      asExpected: encoding === profile.encoding && decodeSignature(found, encoding) !== null,
    };
  });

const isHmac = (profile: Profile): profile is HmacProfile => profile.family === 'hmac';

type Header = { name: string; value: string };

/** Headers, by lower-case name, of which the first of each is looked at. */
const headersOf = (rawHeaders: readonly string[]): ReadonlyMap<string, Header> => {
  const headers = new Map<string, Header>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = [rawHeaders[index], rawHeaders[index + 1]];
    if (!headers.has(name.toLowerCase())) headers.set(name.toLowerCase(), { name, value });
  }
  return headers;
};

const conventional = {
  signature: ['x-signature', 'x-webhook-signature', 'x-hub-signature-256', 'stripe-signature', 'svix-signature'],
  timestamp: ['x-timestamp', 'x-webhook-timestamp', 'x-slack-request-timestamp', 'svix-timestamp'],
  id: ['webhook-id', 'svix-id', 'x-webhook-id', 'x-request-id'],
};

/** Of other schemes, where what is missing in the expected place may have been sent. */
const otherHeaders = (kind: 'signature' | 'timestamp' | 'id'): readonly string[] => {
  const all: readonly Profile[] = Object.values(profiles);
  const field = { signature: 'signatureHeader', timestamp: 'timestampHeader', id: 'idHeader' } as const;
  const named = all.filter(isHmac).flatMap((profile) => profile[field[kind]]?.toLowerCase() ?? []);
  return [...new Set([...named, ...conventional[kind]])];
};

/** The header that holds a part of the signature: the expected one, else another known one. */
export const findHeader = (
  rawHeaders: readonly string[],
  expected: string | undefined,
  kind: 'signature' | 'timestamp' | 'id',
): (Header & { isExpected: boolean }) | undefined => {
  const headers = headersOf(rawHeaders);
  const own = expected === undefined ? undefined : headers.get(expected.toLowerCase());
  if (own !== undefined) return { ...own, isExpected: true };
  const other = otherHeaders(kind)
    .map((name) => headers.get(name))
    .find((header) => header !== undefined);
  return other === undefined ? undefined : { ...other, isExpected: false };
};

/** Presets, by scheme, whose signature header the request has while that of the endpoint is another. */
export const otherSchemesOf = (profile: Profile, rawHeaders: readonly string[]): string[] => {
  const headers = headersOf(rawHeaders);
  const own = isHmac(profile) ? profile.signatureHeader.toLowerCase() : null;
  const all: readonly Profile[] = Object.values(profiles);
  return all
    .filter(isHmac)
    .filter(
      ({ signatureHeader }) => signatureHeader.toLowerCase() !== own && headers.has(signatureHeader.toLowerCase()),
    )
    .map(({ scheme }) => scheme);
};
