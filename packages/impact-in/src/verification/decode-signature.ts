const hexDigest = /^[0-9a-fA-F]{64}$/;

/**
 * 43 characters and one pad. The last character before the pad carries two unused bits, which must be zero
 * (RFC 4648 §3.5); otherwise four texts would denote the same 32 bytes.
 */
const base64Digest = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/**
 * Decodes one HMAC-SHA256 value strictly to exactly 32 bytes; null otherwise. Hexadecimal digits of either case are
 * accepted, as they denote the same bytes. Base64 must be canonical and padded; base64url is refused.
 */
export const decodeSignature = (text: string, encoding: 'hex' | 'base64'): Buffer | null => {
  const pattern = encoding === 'hex' ? hexDigest : base64Digest;
  return pattern.test(text) ? Buffer.from(text, encoding) : null;
};
