import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { mintToken, type TokenDraft } from '../simulators/mint-token.ts';
import { nowMs } from './test-requests.ts';

/** A partner that signs its tokens; for tests. */
export type TokenIssuer = { algorithm: TokenDraft['algorithm']; keyId: string; privateKey: KeyObject; jwk: JsonWebKey };

export const newIssuer = (algorithm: TokenDraft['algorithm'] = 'ES256', keyId = 'key-1'): TokenIssuer => {
  const { privateKey, publicKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return { algorithm, keyId, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid: keyId, use: 'sig' } };
};

export const issuer = 'https://partner.example';
export const audience = 'urn:hub:test';

/** Claims that the hub accepts; undefined ones are left out. */
export const claimsAt = (atMs: number, more: Record<string, unknown> = {}): Record<string, unknown> => {
  const iat = Math.floor(atMs / 1_000);
  return { iss: issuer, aud: audience, jti: `token-${iat}`, iat, exp: iat + 300, ...more };
};

export const tokenOf = (
  from: TokenIssuer,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  atMs = nowMs,
): string => mintToken({ ...from, claims: claimsAt(atMs, claims), header });
