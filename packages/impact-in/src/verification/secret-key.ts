import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto';
import type { HmacProfile } from './profile.ts';

const hexKey = /^(?:[0-9a-fA-F]{2})+$/;
const base64Key = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Key length that Standard Webhooks 1.0 prescribes. */
const minWhsecBytes = 24;
const maxWhsecBytes = 64;

const decodeBase64 = (text: string): Buffer | null => (base64Key.test(text) ? Buffer.from(text, 'base64') : null);

const decodeWhsec = (text: string): Buffer | null => {
  const key = decodeBase64(text.startsWith('whsec_') ? text.slice('whsec_'.length) : text);
  return key !== null && key.length >= minWhsecBytes && key.length <= maxWhsecBytes ? key : null;
};

const decoders: Record<HmacProfile['keyEncoding'], (text: string) => Buffer | null> = {
  utf8: (text) => Buffer.from(text, 'utf8'),
  hex: (text) => (hexKey.test(text) ? Buffer.from(text, 'hex') : null),
  base64: decodeBase64,
  whsec: decodeWhsec,
};

/**
 * The HMAC key of a secret's text; null when the text is empty or not in the encoding. The encoding is part of the
 * profile because the field disagrees: Stripe keys with the whole `whsec_…` text, Standard Webhooks strips the prefix
 * and decodes base64.
 *
 * A key object rather than bytes: OpenSSL sets up a raw key anew for every HMAC (9 µs against 2 µs for 1 KB), and a
 * key object cannot be printed by accident.
 */
export const secretKey = (text: string, keyEncoding: HmacProfile['keyEncoding']): KeyObject | null => {
  const key = decoders[keyEncoding](text);
  return key === null || key.length === 0 ? null : createSecretKey(key);
};

/** A new secret, `whsec_` and 32 random bytes in base64: valid in the key encodings `utf8` and `whsec`. */
export const newWebhookSecret = (random: (bytes: number) => Buffer = randomBytes): string =>
  `whsec_${random(32).toString('base64')}`;
