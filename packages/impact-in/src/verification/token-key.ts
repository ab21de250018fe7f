import { createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';

/** Verifies access tokens that name `keyId`. Keep an old one until its last token has expired. */
export type TokenVerificationKey = { keyId: string; algorithm: 'Ed25519' | 'ES256'; publicKey: KeyObject };

/** Signs the hub's access tokens; never leaves the hub. */
export type TokenSigningKey = TokenVerificationKey & { privateKey: KeyObject };

/** A new Ed25519 signing key as the text of a private JWK, to be stored encrypted. */
export const newTokenKey = (): string =>
  JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));

const algorithmOf = (jwk: JsonWebKey): TokenVerificationKey['algorithm'] => {
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return 'Ed25519';
  if (jwk.kty === 'EC' && jwk.crv === 'P-256') return 'ES256';
  throw new TypeError('a token key must be a private JWK on Ed25519 or P-256');
};

/**
 * Reads a stored private JWK. The key id is its RFC 7638 thumbprint.
 * @throws TypeError or SyntaxError when the text is not such a key
 */
export const readTokenKey = async (text: string): Promise<TokenSigningKey> => {
  const jwk = JSON.parse(text) as JsonWebKey;
  const algorithm = algorithmOf(jwk);
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
  const keyId = await calculateJwkThumbprint(jwk);
  return { keyId, algorithm, privateKey, publicKey: createPublicKey(privateKey) };
};
