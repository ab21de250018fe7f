import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { readHeader } from './read-header.ts';
import type { ActiveSecret } from './verify-webhook.ts';

/** Error codes of the token endpoint (RFC 6749 §5.2). */
export type TokenRequestError = 'invalid_request' | 'invalid_client' | 'unsupported_grant_type';

export type TokenRequest =
  | { accepted: true; clientId: string; clientSecret: string }
  | { accepted: false; error: TokenRequestError };

const maxBodyBytes = 8_192;
const fault = (error: TokenRequestError): TokenRequest => ({ accepted: false, error });

/** A new client secret: `hubcs_` and 256 random bits, base64url so that no form or header needs escaping. */
export const newClientSecret = (random: (bytes: number) => Buffer = randomBytes): string =>
  `hubcs_${random(32).toString('base64url')}`;

const decodeFormText = (text: string): string | null => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return null;
  }
};

/** RFC 6749 §2.3.1: id and secret are form-encoded before they are joined. */
const readBasic = (value: string): { clientId: string; clientSecret: string } | null => {
  const encoded = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(value)?.[1];
  if (encoded === undefined) return null;
  const [, id, secret] = /^([^:]+):(.+)$/s.exec(Buffer.from(encoded, 'base64').toString('utf8')) ?? [];
  const clientId = decodeFormText(id ?? '');
  const clientSecret = decodeFormText(secret ?? '');
  return clientId && clientSecret ? { clientId, clientSecret } : null;
};

/**
 * Reads a token request of the client-credentials grant (RFC 6749 §4.4.2): the client authenticates by HTTP Basic or
 * by form fields, not by both, and no parameter may be repeated. Whether the credentials are right is not decided here.
 */
export const readTokenRequest = (rawHeaders: readonly string[], body: Buffer): TokenRequest => {
  const contentType = readHeader(rawHeaders, 'content-type').value ?? '';
  if (!/^application\/x-www-form-urlencoded(?:\s*;|$)/i.test(contentType)) return fault('invalid_request');
  if (body.length > maxBodyBytes) return fault('invalid_request');
  const form = new URLSearchParams(body.toString('utf8'));
  const names = [...form.keys()];
  if (new Set(names).size !== names.length) return fault('invalid_request');
  const grantType = form.get('grant_type');
  if (grantType === null) return fault('invalid_request');
  if (grantType !== 'client_credentials') return fault('unsupported_grant_type');

  const clientId = form.get('client_id');
  const clientSecret = form.get('client_secret');
  const authorization = readHeader(rawHeaders, 'authorization');
  if (authorization.value === null) {
    if (authorization.fault !== 'absent') return fault('invalid_request');
    return clientId && clientSecret ? { accepted: true, clientId, clientSecret } : fault('invalid_client');
  }
  if (clientSecret !== null) return fault('invalid_request');
  const basic = readBasic(authorization.value);
  if (basic === null) return fault('invalid_client');
  if (clientId !== null && clientId !== basic.clientId) return fault('invalid_request');
  return { accepted: true, ...basic };
};

const digest = (bytes: Buffer | string): Buffer => createHash('sha256').update(bytes).digest();

/**
 * Which of a client's active secrets (`secretKey(text, 'utf8')`) was presented; null when none. Compares digests, so
 * that the length tells nothing, and all of them. For an unknown client, call it with the empty list and say the same.
 */
export const matchClientSecret = (presented: string, secrets: readonly ActiveSecret[]): string | null => {
  const presentedDigest = digest(presented);
  let matchedId: string | null = null;
  for (const { id, key } of secrets) {
    if ((key.symmetricKeySize ?? 0) === 0) continue;
    if (timingSafeEqual(presentedDigest, digest(key.export()))) matchedId ??= id;
  }
  return matchedId;
};
