import { errors, jwtVerify, type JWTPayload } from 'jose';
import { accessTokenType } from './issue-access-token.ts';
import type { BearerProfile } from './profile.ts';
import { isEncoded, readHeader } from './read-header.ts';
import type { TokenVerificationKey } from './token-key.ts';
import { refuse, type Refusal, type VerificationFailure } from './verification-failure.ts';
import type { Verified } from './verify-webhook.ts';

export type BearerRequest = {
  profile: BearerProfile;
  /** With the ids of the stored secrets they are. */
  keys: readonly (TokenVerificationKey & { id?: string })[];
  issuer: string;
  /** Made by `tokenAudience`. */
  audience: string;
  rawHeaders: readonly string[];
  nowMs: number;
};

/**
 * A bearer token says who sends, not what: it does not bind the body, and there is no timestamp of the request.
 * Replays are recognised by event id and bytes alone. `secretId` is the key's `id`, or the client id.
 */
export type BearerVerified = Verified & { timestampMs: null; clientId: string; tokenId: string; expiresAtMs: number };

/** RFC 6750 §2.1 with a compact JWS; the scheme's name in any case, as RFC 9110 §11.1 has it. */
export const bearerToken = /^bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i;

const reasonOfCode: Record<string, VerificationFailure> = {
  [errors.JWTExpired.code]: 'token_expired',
  [errors.JOSEAlgNotAllowed.code]: 'token_algorithm_refused',
  [errors.JWKSNoMatchingKey.code]: 'token_key_unknown',
  [errors.JWSSignatureVerificationFailed.code]: 'token_signature_mismatch',
};

const reasonOfClaim: Record<string, VerificationFailure> = {
  iss: 'token_issuer_wrong',
  aud: 'token_audience_wrong',
  nbf: 'token_not_yet_valid',
};

const reasonOf = (error: unknown): VerificationFailure => {
  if (error instanceof errors.JWTClaimValidationFailed) return reasonOfClaim[error.claim] ?? 'token_claims_invalid';
  return (error instanceof errors.JOSEError ? reasonOfCode[error.code] : undefined) ?? 'malformed_token';
};

const readClaims = (payload: JWTPayload, { profile, nowMs }: BearerRequest): BearerVerified | Refusal => {
  const { sub, jti, iat, exp, client_id: clientId } = payload;
  if (typeof sub !== 'string' || sub === '' || sub !== clientId || typeof jti !== 'string' || jti === '')
    return refuse('token_claims_invalid');
  if (iat === undefined || exp === undefined) return refuse('token_claims_invalid');
  if (exp - iat > profile.maxLifetimeSeconds) return refuse('token_lifetime_too_long');
  if (!(iat * 1_000 <= nowMs + profile.leewaySeconds * 1_000)) return refuse('token_not_yet_valid');
  return {
    valid: true,
    secretId: sub,
    clientId: sub,
    tokenId: jti,
    expiresAtMs: exp * 1_000,
    timestampMs: null,
    eventIdFromHeader: null,
  };
};

/** Decides whether a request carries an access token that the hub issued for this endpoint. Never rejects. */
export const verifyBearer = async (request: BearerRequest): Promise<BearerVerified | Refusal> => {
  const { profile, rawHeaders } = request;
  if (isEncoded(rawHeaders)) return refuse('content_encoding');
  const authorization = readHeader(rawHeaders, 'authorization');
  if (authorization.value === null)
    return refuse(authorization.fault === 'absent' ? 'missing_token' : authorization.fault);
  const token = bearerToken.exec(authorization.value)?.[1];
  if (token === undefined) return refuse('malformed_token');
  // jose compares times with an invalid date as if they were fine.
  if (!Number.isFinite(request.nowMs)) return refuse('token_expired');
  try {
    const { payload, protectedHeader } = await jwtVerify(
      token,
      (header) => {
        const key = request.keys.find((candidate) => candidate.keyId === header.kid);
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        if (key.algorithm !== header.alg) throw new errors.JOSEAlgNotAllowed();
        return key.publicKey;
      },
      {
        algorithms: [...profile.algorithms],
        typ: accessTokenType,
        issuer: request.issuer,
        audience: request.audience,
        clockTolerance: profile.leewaySeconds,
        currentDate: new Date(request.nowMs),
      },
    );
    const verified = readClaims(payload, request);
    const secretId = request.keys.find(({ keyId }) => keyId === protectedHeader.kid)?.id;
    return verified.valid && secretId !== undefined ? { ...verified, secretId } : verified;
  } catch (error) {
    return refuse(reasonOf(error));
  }
};
