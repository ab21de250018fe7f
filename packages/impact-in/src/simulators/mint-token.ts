import { constants, sign, type KeyObject } from 'node:crypto';

export type TokenDraft = {
  algorithm: 'RS256' | 'PS256' | 'ES256';
  keyId: string;
  privateKey: KeyObject;
  /** Registered claims (RFC 7519 §4.1) and any others. */
  claims: Record<string, unknown>;
  /** More header parameters. */
  header?: Record<string, unknown>;
};

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const options = {
  RS256: { padding: constants.RSA_PKCS1_PADDING },
  PS256: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  ES256: { dsaEncoding: 'ieee-p1363' },
} as const;

/** Signs a token (RFC 7515, compact) as a partner with keys of its own does, with nothing but Node. */
export const mintToken = ({ algorithm, keyId, privateKey, claims, header = {} }: TokenDraft): string => {
  const text = `${encode({ alg: algorithm, typ: 'JWT', kid: keyId, ...header })}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, ...options[algorithm] });
  return `${text}.${signature.toString('base64url')}`;
};
