import { secretKey } from './secret-key.ts';
import { profileOf, type HmacProfile, type SchemeName } from './profile.ts';
import { signRequest, type SignedRequest } from '../simulators/sign-request.ts';
import { verifyHmac, type HmacRequest } from './verify-webhook.ts';

/** Requests for the tests of verification: signed by the simulators, which share no code with the verifier. */
export const nowMs = Date.UTC(2026, 2, 1, 12, 0, 0);
export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const otherSecret = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
export const hmacSchemes = ['benevity-hmac', 'goodera-hmac', 'workday-hmac', 'standard-webhooks'] as const;
export type HmacScheme = (typeof hmacSchemes)[number];

export const hmacProfile = (scheme: SchemeName): HmacProfile => {
  const profile = profileOf(scheme);
  if (profile?.family !== 'hmac') throw new TypeError(`${scheme} is not signed by HMAC`);
  return profile;
};

export const keyOf = (scheme: SchemeName, text: string) => {
  const key = secretKey(text, hmacProfile(scheme).keyEncoding);
  if (key === null) throw new TypeError('not a secret');
  return key;
};

export const signed = (scheme: HmacScheme, overrides: Partial<Parameters<typeof signRequest>[0]> = {}): SignedRequest =>
  signRequest({ scheme, secret, body: Buffer.from('{"a":1}'), nowMs, eventId: 'msg_1', ...overrides });

export const rawHeadersOf = (headers: Record<string, string>): string[] => Object.entries(headers).flat();

export const receive = (scheme: HmacScheme, request: SignedRequest, overrides: Partial<HmacRequest> = {}) =>
  verifyHmac({
    profile: hmacProfile(scheme),
    secrets: [{ id: 'current', key: keyOf(scheme, secret) }],
    rawHeaders: rawHeadersOf(request.headers),
    body: request.body,
    nowMs,
    ...overrides,
  });

/** Name of the header that carries the signature or timestamp, and a changed copy of the request. */
export const withHeader = (request: SignedRequest, name: string, value: string | null): SignedRequest => {
  const { [name]: _old, ...others } = request.headers;
  return { ...request, headers: value === null ? others : { ...others, [name]: value } };
};
