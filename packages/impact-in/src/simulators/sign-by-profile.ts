import { createHmac } from 'node:crypto';
import type { CustomProfileInput } from '../verification/custom-profile.ts';

export type ProfileSignInput = {
  secret: string;
  /** Also sign with these, as a partner does while its secret is being rotated (list containers only). */
  oldSecrets?: readonly string[];
  body: Buffer;
  nowMs: number;
  /** For schemes with an event id header. */
  eventId?: string;
  /** For `custom-hmac`, as the endpoint was created with. */
  profile?: CustomProfileInput;
};

const keyBytes = (secret: string, encoding: string): Buffer => {
  if (encoding === 'whsec') return Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  return Buffer.from(secret, encoding === 'utf8' ? 'utf8' : (encoding as 'hex' | 'base64'));
};

const stampOf = (format: string, nowMs: number): string => {
  if (format === 'iso8601') return new Date(nowMs).toISOString();
  return String(format === 'unix_ms' ? nowMs : Math.floor(nowMs / 1_000));
};

const contain = (container: string, signatures: readonly string[], stamp: string, prefix: string): string => {
  if (container === 'stripe-list') return [`t=${stamp}`, ...signatures.map((text) => `v1=${text}`)].join(',');
  if (container === 'standard-webhooks') return signatures.map((text) => `v1,${text}`).join(' ');
  return `${container === 'prefixed' ? prefix : ''}${signatures[0]}`;
};

/**
 * Signs as a sender does that a custom profile describes. Shares nothing with the verifier but the description.
 *
 * @throws TypeError without a profile
 */
export const signByProfile = (input: ProfileSignInput): Record<string, string> => {
  const { profile, secret, oldSecrets = [], body, nowMs, eventId = 'msg_simulated' } = input;
  if (profile === undefined) throw new TypeError('custom-hmac is signed by the profile of its endpoint');
  const { signedTemplate = '{ts}.{body}', timestampFormat = 'unix_s', keyEncoding = 'utf8', prefix = '' } = profile;
  const stamp = stampOf(timestampFormat, nowMs);
  const preamble = signedTemplate
    .replace(/{body}$/, '')
    .replace('{ts}', stamp)
    .replace('{id}', eventId);
  const signatures = [secret, ...oldSecrets].map((text) =>
    createHmac('sha256', keyBytes(text, keyEncoding)).update(preamble).update(body).digest(profile.encoding),
  );
  return {
    [profile.signatureHeader]: contain(profile.container, signatures, stamp, prefix),
    ...(profile.timestampHeader === undefined ? {} : { [profile.timestampHeader]: stamp }),
    ...(profile.idHeader === undefined ? {} : { [profile.idHeader]: eventId }),
  };
};
