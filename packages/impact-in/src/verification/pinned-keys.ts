import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import type { JwtProfile } from './profile.ts';

export type JwtAlgorithm = JwtProfile['algorithms'][number];

/** A public key that may have signed a partner's token. */
export type PinnedKey = {
  keyId: string;
  /** What it may be used for: its type decides, and its own `alg` when it has one. */
  algorithms: readonly JwtAlgorithm[];
  publicKey: KeyObject;
  /** RFC 7638, SHA-256, base64url. */
  thumbprint: string;
};

/** Why a key cannot be pinned, and the member to change. */
export type JwkFault = { field: string; message: string };

/** Members of a public key; everything else, a certificate for example, is left behind. */
const publicMembers = ['kty', 'kid', 'use', 'alg', 'key_ops', 'n', 'e', 'crv', 'x', 'y'] as const;
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** NIST SP 800-131A; beyond 8,192 bits checking costs too much to offer it to strangers. */
const [minRsaBits, maxRsaBits] = [2_048, 8_192];
/** Checking a signature takes as many multiplications as the exponent has bits; real keys have 3 or 65,537. */
const maxRsaExponent = 2n ** 32n - 1n;
/**
 * Keys of one id that are tried for a token. Ids are meant to be unique (RFC 7517 §4.5); while keys are replaced an
 * issuer may have two of one id, for two algorithms four.
 */
export const maxKeysOfOneId = 4;

const algorithmsByType = (jwk: JsonWebKey): readonly JwtAlgorithm[] => {
  if (jwk.kty === 'RSA') return ['RS256', 'PS256'];
  return jwk.kty === 'EC' && jwk.crv === 'P-256' ? ['ES256'] : [];
};

const algorithmsOf = (jwk: JsonWebKey): readonly JwtAlgorithm[] =>
  algorithmsByType(jwk).filter((algorithm) => jwk['alg'] === undefined || jwk['alg'] === algorithm);

const toPublicKey = (jwk: JsonWebKey): KeyObject | null => {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' });
  } catch {
    return null;
  }
};

/** Null when the key can be pinned. */
export const jwkFault = (jwk: JsonWebKey): JwkFault | null => {
  const secret = privateMembers.find((name) => Object.hasOwn(jwk, name));
  if (secret !== undefined) return { field: secret, message: 'must be left out: only public keys belong here' };
  if (algorithmsByType(jwk).length === 0) return { field: 'kty', message: 'must be RSA, or EC on the curve P-256' };
  if (algorithmsOf(jwk).length === 0)
    return { field: 'alg', message: 'must be RS256, PS256 or ES256, as fits the key' };
  if (typeof jwk['kid'] !== 'string' || jwk['kid'] === '' || jwk['kid'].length > 200)
    return { field: 'kid', message: 'must be the id that tokens name, 1 to 200 characters' };
  if (jwk['use'] !== undefined && jwk['use'] !== 'sig') return { field: 'use', message: 'must be sig' };
  const operations: unknown = jwk['key_ops'];
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return { field: 'key_ops', message: 'must include verify' };
  const bits = toPublicKey(jwk)?.asymmetricKeyDetails;
  if (bits === undefined) return { field: jwk.kty === 'RSA' ? 'n' : 'x', message: 'must be a valid public key' };
  const { modulusLength, publicExponent } = bits;
  if (modulusLength !== undefined && (modulusLength < minRsaBits || modulusLength > maxRsaBits))
    return { field: 'n', message: `must have ${minRsaBits} to ${maxRsaBits} bits` };
  if (publicExponent !== undefined && (publicExponent < 3n || publicExponent % 2n === 0n))
    return { field: 'e', message: 'must be odd and at least 3' };
  if (publicExponent !== undefined && publicExponent > maxRsaExponent)
    return { field: 'e', message: 'must be at most 32 bits long' };
  return null;
};

/** The key without anything that is not needed to check with it. */
export const publicJwk = (jwk: JsonWebKey): JsonWebKey =>
  Object.fromEntries(publicMembers.filter((name) => Object.hasOwn(jwk, name)).map((name) => [name, jwk[name]]));

/** More than any issuer publishes. */
const maxKeys = 50;

/** The usable keys of a JWK set (RFC 7517 §5); others are left out. @throws TypeError when it is not a set */
export const readPinnedKeys = async (jwks: unknown): Promise<PinnedKey[]> => {
  const keys: unknown = typeof jwks === 'object' && jwks !== null ? (jwks as { keys?: unknown }).keys : undefined;
  if (!Array.isArray(keys)) throw new TypeError('a JWK set has an array of keys');
  const pinned: PinnedKey[] = [];
  for (const jwk of keys.slice(0, maxKeys) as unknown[]) {
    if (typeof jwk !== 'object' || jwk === null || jwkFault(jwk as JsonWebKey) !== null) continue;
    const key = publicJwk(jwk as JsonWebKey);
    pinned.push({
      keyId: String(key['kid']),
      algorithms: algorithmsOf(key),
      publicKey: createPublicKey({ key, format: 'jwk' }),
      thumbprint: await calculateJwkThumbprint(key),
    });
  }
  return pinned;
};
