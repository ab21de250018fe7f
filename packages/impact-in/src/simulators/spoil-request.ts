import { createHash } from 'node:crypto';
import type { SchemeName } from '../verification/profile.ts';
import { signRequest, type SignedRequest, type SignInput } from './sign-request.ts';

/** Schemes that show who sends and not what, by the header that does so. */
const credentialHeaders: Partial<Record<SchemeName, string>> = {
  'workday-oauth': 'Authorization',
  'workday-jwt': 'Authorization',
  'benevity-jwt': 'Authorization',
  'workday-basic': 'Authorization',
  'goodera-unsigned': 'X-Webhook-Token',
};
export const unsignedSchemes = Object.keys(credentialHeaders) as SchemeName[];

const changeOneLetter = (text: string): string => text.replace(/.(?=.$)/, (letter) => (letter === 'A' ? 'B' : 'A'));

/** One letter of the body differs from what was signed; where nothing is, one of the token or password. */
export const tamper = (scheme: SchemeName, { headers, body }: SignedRequest): SignedRequest => {
  const header = credentialHeaders[scheme];
  if (header !== undefined) return { headers: { ...headers, [header]: changeOneLetter(headers[header] ?? '') }, body };
  const changed = Buffer.from(body);
  const at = changed.lastIndexOf('Z"');
  changed.writeUInt8(changed.readUInt8(at - 1) === 0x30 ? 0x31 : 0x30, at - 1);
  return { headers, body: changed };
};

/** The same JSON in other bytes, as a middleman sends it that parses and writes bodies. */
export const reserialise = ({ headers, body }: SignedRequest): SignedRequest => ({
  headers,
  body: Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')), null, 2)),
});

/** Without the last header that proves something. */
export const leaveOutHeader = ({ headers, body }: SignedRequest): SignedRequest => ({
  headers: Object.fromEntries(Object.entries(headers).slice(0, -1)),
  body,
});

/** Good by another family of schemes: who has several ways in must not be able to choose the weaker one. */
export const signByOtherFamily = (input: SignInput): SignedRequest => {
  const { scheme, secret } = input;
  if (scheme === 'goodera-unsigned' || scheme === 'workday-basic')
    return signRequest({ ...input, scheme: 'standard-webhooks' });
  if (credentialHeaders[scheme] !== undefined) return signRequest({ ...input, scheme: 'workday-hmac' });
  return signRequest({ ...input, scheme: 'workday-basic', secret: `partner:${secret}` });
};

/** A credential of the same form that is not the endpoint's. */
export const otherSecret = ({ scheme, secret }: Pick<SignInput, 'scheme' | 'secret'>, seed: string): string => {
  if (scheme === 'workday-basic') return `${secret.slice(0, secret.indexOf(':'))}:not the password`;
  if (scheme === 'goodera-unsigned') return 'not the token';
  if (credentialHeaders[scheme] !== undefined)
    return `${secret.slice(0, secret.lastIndexOf('.') + 1)}${'A'.repeat(86)}`;
  return `whsec_${createHash('sha256').update(`not the secret ${seed}`).digest('base64')}`;
};
