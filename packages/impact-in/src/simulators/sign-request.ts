import { createHmac } from 'node:crypto';
import type { SchemeName } from '../verification/profile.ts';
import { signByProfile, type ProfileSignInput } from './sign-by-profile.ts';

/**
 * `secret` is the endpoint's as text; for the schemes with tokens a token (`fetchAccessToken`, `mintToken`), for
 * `workday-basic` user name and password with a colon between them, for `goodera-unsigned` the header's token.
 */
export type SignInput = ProfileSignInput & { scheme: SchemeName };

export type SignedRequest = { headers: Record<string, string>; body: Buffer };

const hmac = (key: string | Buffer, text: string, body: Buffer) => createHmac('sha256', key).update(text).update(body);
const unixSeconds = (ms: number): string => String(Math.floor(ms / 1_000));
const decodeWhsec = (secret: string): Buffer => Buffer.from(secret.replace(/^whsec_/, ''), 'base64');

const bearer = ({ secret }: SignInput) => ({ Authorization: `Bearer ${secret}` });

/**
 * Written out per scheme, as a partner would from our documentation, and sharing nothing with the verifier: one that
 * derived the signed text from the same profile would agree with any mistake in it.
 */
const signers: Record<SchemeName, (input: SignInput) => Record<string, string>> = {
  'benevity-hmac': ({ secret, oldSecrets = [], body, nowMs }) => {
    const t = unixSeconds(nowMs);
    const v1 = [secret, ...oldSecrets].map((key) => `v1=${hmac(key, `${t}.`, body).digest('hex')}`);
    return { 'X-Benevity-Signature': [`t=${t}`, ...v1].join(',') };
  },
  'goodera-hmac': ({ secret, body, nowMs }) => {
    const timestamp = unixSeconds(nowMs);
    return {
      'X-Goodera-Signature': `sha256=${hmac(secret, `${timestamp}.`, body).digest('hex')}`,
      'X-Goodera-Request-Timestamp': timestamp,
    };
  },
  'workday-hmac': ({ secret, body, nowMs }) => {
    const timestamp = new Date(nowMs).toISOString();
    return {
      'X-Workday-Signature': hmac(secret, `${timestamp}:`, body).digest('base64'),
      'X-Workday-Request-Timestamp': timestamp,
    };
  },
  'workday-oauth': bearer,
  'workday-jwt': bearer,
  'benevity-jwt': bearer,
  'workday-basic': ({ secret }) => ({ Authorization: `Basic ${Buffer.from(secret, 'utf8').toString('base64')}` }),
  'goodera-unsigned': ({ secret }) => ({ 'X-Webhook-Token': secret }),
  'benevity-legacy': ({ secret, body }) => ({ 'X-Benevity-Signature': hmac(secret, '', body).digest('hex') }),
  'goodera-legacy': ({ secret, body }) => ({ 'X-Goodera-Signature': hmac(secret, '', body).digest('hex') }),
  'workday-legacy': ({ secret, body }) => ({
    'X-Workday-Signature': `sha256=${hmac(secret, '', body).digest('hex')}`,
  }),
  'custom-hmac': signByProfile,
  'standard-webhooks': ({ secret, oldSecrets = [], body, nowMs, eventId = 'msg_simulated' }) => {
    const timestamp = unixSeconds(nowMs);
    const v1 = [secret, ...oldSecrets].map(
      (key) => `v1,${hmac(decodeWhsec(key), `${eventId}.${timestamp}.`, body).digest('base64')}`,
    );
    return { 'webhook-id': eventId, 'webhook-timestamp': timestamp, 'webhook-signature': v1.join(' ') };
  },
};

/** Signs a body as the partner would. */
export const signRequest = (input: SignInput): SignedRequest => ({
  headers: { 'Content-Type': 'application/json', ...signers[input.scheme](input) },
  body: input.body,
});
