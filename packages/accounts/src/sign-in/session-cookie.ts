import { createHmac, timingSafeEqual } from 'node:crypto';

/** Name of the session cookie; browsers accept `__Secure-` cookies over TLS only (RFC 6265bis §4.1.3). */
export const sessionCookieName = (publicUrl: string): string =>
  `${publicUrl.startsWith('https:') ? '__Secure-' : ''}hub.session_token`;

/** The raw value of one cookie of a `Cookie` header. */
export const readCookie = (header: string | undefined, name: string): string | undefined => {
  if (header === undefined) return undefined;
  const wanted = `${name}=`;
  const part = header.split(';').find((candidate) => candidate.trimStart().startsWith(wanted));
  return part?.trimStart().slice(wanted.length);
};

const decode = (value: string): string | undefined => {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
};

/**
 * The token inside a signed cookie as better-auth writes it: `token.base64(HMAC-SHA256(secret, token))`, URL-encoded.
 * A made-up cookie is refused here, without a query.
 */
export const openSignedCookie = (value: string, secret: string): string | undefined => {
  const text = decode(value);
  const dot = text?.lastIndexOf('.') ?? -1;
  if (text === undefined || dot < 1) return undefined;
  const token = text.slice(0, dot);
  const expected = createHmac('sha256', secret).update(token).digest();
  const given = Buffer.from(text.slice(dot + 1), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected) ? token : undefined;
};
