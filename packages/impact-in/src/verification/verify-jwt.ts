import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { maxKeysOfOneId, type JwtAlgorithm, type PinnedKey } from './pinned-keys.ts';
import type { JwtProfile } from './profile.ts';
import { isEncoded, readHeader } from './read-header.ts';
import { refuse, type Refusal, type VerificationFailure } from './verification-failure.ts';
import { bearerToken } from './verify-bearer.ts';
import type { Verified } from './verify-webhook.ts';

/** Keys by the id that a token names; `unavailable` when it cannot be known whether there is one. */
export type FindKeys = (
  keyId: string,
) => readonly PinnedKey[] | 'unavailable' | Promise<readonly PinnedKey[] | 'unavailable'>;

/** Whom an endpoint believes. */
export type JwtTrust = {
  issuer: string;
  audience: string;
  /** RFC 7638 thumbprints; null when every key of the set is believed. */
  thumbprints: ReadonlySet<string> | null;
};

export type JwtRequest = {
  profile: JwtProfile;
  trust: JwtTrust;
  findKeys: FindKeys;
  rawHeaders: readonly string[];
  nowMs: number;
};

/** As with every bearer token the body is not bound: the caller has to let each token vouch for one body only. */
export type JwtVerified = Verified & { tokenId: string; expiresAtMs: number };

/** RFC 9068 or plain; a token made for another purpose says so here (RFC 8725 §3.11). */
const tokenTypes: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt']);
const idPattern = /^[ -~]{1,256}$/;

type Head = { algorithm: JwtAlgorithm; keyId: string };

const readHead = (token: string, profile: JwtProfile): Head | VerificationFailure => {
  try {
    const { alg, kid, typ, crit, b64 } = decodeProtectedHeader(token) as Record<string, unknown>;
    const algorithm = profile.algorithms.find((allowed) => allowed === alg);
    if (algorithm === undefined) return 'token_algorithm_refused';
    if (crit !== undefined || b64 !== undefined) return 'malformed_token';
    if (typ !== undefined && !(typeof typ === 'string' && tokenTypes.has(typ.toLowerCase())))
      return 'token_claims_invalid';
    if (typeof kid !== 'string' || !idPattern.test(kid)) return 'token_key_unknown';
    return { algorithm, keyId: kid };
  } catch {
    return 'malformed_token';
  }
};

const claimFault = (claims: JWTPayload, { profile, trust, nowMs }: JwtRequest): VerificationFailure | null => {
  const { iss, aud, jti, iat, exp, nbf } = claims;
  if (iss !== trust.issuer) return 'token_issuer_wrong';
  if (!(Array.isArray(aud) ? aud : [aud]).includes(trust.audience)) return 'token_audience_wrong';
  if (typeof jti !== 'string' || !idPattern.test(jti)) return 'token_claims_invalid';
  if (typeof iat !== 'number' || typeof exp !== 'number' || !(nbf === undefined || typeof nbf === 'number'))
    return 'token_claims_invalid';
  if (exp - iat > profile.maxLifetimeSeconds) return 'token_lifetime_too_long';
  const nowSeconds = nowMs / 1_000;
  const { leewaySeconds } = profile;
  // Written so that times that are not numbers are refused as well.
  if (!(exp > nowSeconds - leewaySeconds)) return 'token_expired';
  if (!(Math.max(iat, nbf ?? iat) <= nowSeconds + leewaySeconds)) return 'token_not_yet_valid';
  return null;
};

/** Everything that can be said without a key comes first: nobody makes the hub fetch keys for a token like that. */
const readUnproven = (token: string, request: JwtRequest): Head | VerificationFailure => {
  const head = readHead(token, request.profile);
  if (typeof head === 'string') return head;
  try {
    return claimFault(decodeJwt(token), request) ?? head;
  } catch {
    return 'malformed_token';
  }
};

const prove = async (token: string, head: Head, key: PinnedKey, request: JwtRequest): Promise<JWTPayload | null> => {
  try {
    const { payload } = await jwtVerify(token, key.publicKey, {
      algorithms: [head.algorithm],
      issuer: request.trust.issuer,
      audience: request.trust.audience,
      clockTolerance: request.profile.leewaySeconds,
      currentDate: new Date(request.nowMs),
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
    throw error;
  }
};

/**
 * Decides whether a request carries a token that the endpoint's partner signed for it. Rejects only when `findKeys`
 * does. `token_keys_unavailable` is no judgement: the same request may be authentic.
 */
export const verifyJwt = async (request: JwtRequest): Promise<JwtVerified | Refusal> => {
  if (isEncoded(request.rawHeaders)) return refuse('content_encoding');
  const authorization = readHeader(request.rawHeaders, 'authorization');
  if (authorization.value === null)
    return refuse(authorization.fault === 'absent' ? 'missing_token' : authorization.fault);
  const token = bearerToken.exec(authorization.value)?.[1];
  if (token === undefined) return refuse('malformed_token');
  const head = readUnproven(token, request);
  if (typeof head === 'string') return refuse(head);
  const keys = await request.findKeys(head.keyId);
  if (keys === 'unavailable') return refuse('token_keys_unavailable');
  if (keys.length === 0) return refuse('token_key_unknown');
  const { thumbprints } = request.trust;
  const usable = keys.filter(
    (key) => key.algorithms.includes(head.algorithm) && (thumbprints === null || thumbprints.has(key.thumbprint)),
  );
  if (usable.length === 0) return refuse('token_key_unusable');
  for (const key of usable.slice(0, maxKeysOfOneId)) {
    const claims = await prove(token, head, key, request);
    if (claims === null) continue;
    const fault = claimFault(claims, request);
    if (fault !== null) return refuse(fault);
    return {
      valid: true,
      secretId: `jwk:${key.thumbprint}`,
      timestampMs: null,
      eventIdFromHeader: null,
      tokenId: String(claims.jti),
      expiresAtMs: Number(claims.exp) * 1_000,
    };
  }
  return refuse('token_signature_mismatch');
};
