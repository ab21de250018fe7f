import { createHash, timingSafeEqual } from 'node:crypto';
import { matchClientSecret } from './client-credentials.ts';
import { isEncoded, readHeader } from './read-header.ts';
import { refuse, type Refusal } from './verification-failure.ts';
import type { ActiveSecret, Verified } from './verify-webhook.ts';

export type BasicRequest = {
  /** Without a colon (RFC 7617 §2). */
  username: string;
  /** Keys of `secretKey(password, 'utf8')`. */
  passwords: readonly ActiveSecret[];
  rawHeaders: readonly string[];
};

const basicCredentials = /^basic ([A-Za-z0-9+/]+={0,2})$/i;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** RFC 7617 §2: everything up to the first colon is the user, and the rest, colons included, the password. */
const readCredentials = (value: string): { username: string; password: string } | null => {
  const encoded = basicCredentials.exec(value)?.[1];
  if (encoded === undefined) return null;
  const bytes = Buffer.from(encoded, 'base64');
  // Of several spellings of the same bytes only one is a credential.
  if (bytes.toString('base64').replace(/=+$/, '') !== encoded.replace(/=+$/, '')) return null;
  try {
    const text = utf8.decode(bytes);
    const colon = text.indexOf(':');
    return colon < 0 ? null : { username: text.slice(0, colon), password: text.slice(colon + 1) };
  } catch {
    return null;
  }
};

/** RFC 7617 §2.1 has names compared in one normal form, so that no keyboard matters. */
const digest = (text: string): Buffer => createHash('sha256').update(text.normalize('NFC')).digest();

/**
 * Decides whether a request carries the endpoint's user name and one of its passwords. Both are compared in constant
 * time, and both always are. Says who sends, not what: replays are recognised by event id and bytes alone.
 */
export const verifyBasic = ({ username, passwords, rawHeaders }: BasicRequest): Verified | Refusal => {
  if (isEncoded(rawHeaders)) return refuse('content_encoding');
  const authorization = readHeader(rawHeaders, 'authorization');
  if (authorization.value === null)
    return refuse(authorization.fault === 'absent' ? 'missing_credentials' : authorization.fault);
  const presented = readCredentials(authorization.value);
  if (presented === null) return refuse('malformed_credentials');
  if (passwords.length === 0) return refuse('no_active_secret');
  const isUser = timingSafeEqual(digest(presented.username), digest(username));
  const secretId = matchClientSecret(presented.password, passwords);
  if (!isUser || secretId === null) return refuse('credentials_mismatch');
  return { valid: true, secretId, timestampMs: null, eventIdFromHeader: null };
};
