import { createSecretKey, randomBytes } from 'node:crypto';
import { secretsAt, type Endpoint } from '../endpoints/endpoint.ts';
import { tokenAudience } from '../verification/issue-access-token.ts';
import type { JwksCache } from '../verification/jwks-cache.ts';
import { payloadAgeFault } from '../verification/payload-age.ts';
import {
  defaultSchemeOf,
  profileOf,
  type HmacProfile,
  type JwtProfile,
  type PartnerName,
} from '../verification/profile.ts';
import type { TokenUses } from '../verification/token-uses.ts';
import { verifyBasic } from '../verification/verify-basic.ts';
import { verifyBearer } from '../verification/verify-bearer.ts';
import type { VerificationFailure } from '../verification/verification-failure.ts';
import { verifyJwt, type FindKeys } from '../verification/verify-jwt.ts';
import { verifyUnsigned } from '../verification/verify-unsigned.ts';
import { verifyHmac, type Verified } from '../verification/verify-webhook.ts';

/** `token_use_unknown`: the database did not say in time what the token vouched for before. */
export type RejectionReason = VerificationFailure | 'network_not_allowed' | 'wrong_partner' | 'token_use_unknown';

/** Reasons that are no judgement: the request may be authentic, and should be sent again. */
export const undecided: ReadonlySet<string> = new Set<RejectionReason>(['token_keys_unavailable', 'token_use_unknown']);

export type Authentication = Verified | { valid: false; reason: RejectionReason };

/** What the transport knows of a webhook. */
export type Arrival = {
  ip: string;
  rawHeaders: readonly string[];
  body: Buffer;
  nowMs: number;
  issuer: string;
  /** Of the address; null without one. */
  urlToken: string | null;
};

/** What tokens of the partners need beside the endpoint. */
export type TokenChecks = { jwks: JwksCache; tokenUses: TokenUses };

const verifySigned = (endpoint: Endpoint, profile: HmacProfile, arrival: Arrival): Authentication => {
  const { rawHeaders, body, nowMs } = arrival;
  const secrets = secretsAt(endpoint.webhookSecrets, nowMs);
  const verified = verifyHmac({ profile, secrets, rawHeaders, body, nowMs });
  if (!verified.valid || profile.weak !== true) return verified;
  const fault = payloadAgeFault(profile, body, nowMs);
  return fault === null ? verified : { valid: false, reason: fault };
};

const verifyToken = async (
  endpoint: Endpoint,
  profile: JwtProfile,
  arrival: Arrival,
  checks: TokenChecks,
): Promise<Authentication> => {
  const { trust, companyId, id: endpointId } = endpoint;
  if (trust === null) return { valid: false, reason: 'profile_invalid' };
  const findKeys: FindKeys = (keyId) =>
    'keys' in trust
      ? trust.keys.filter((key) => key.keyId === keyId)
      : checks.jwks.find(trust.jwksUrl, keyId, companyId);
  const verified = await verifyJwt({ ...arrival, profile, trust, findKeys });
  if (!verified.valid) return verified;
  // Before the token is used up: whoever captured it must not be able to do so from elsewhere.
  if (!mayCome(endpoint, arrival)) return { valid: false, reason: 'network_not_allowed' };
  const { tokenId, expiresAtMs } = verified;
  const use = { companyId, endpointId, tokenId, expiresAtMs, body: arrival.body };
  try {
    const isFirst = await checks.tokenUses.claim(use, arrival.nowMs);
    return isFirst ? verified : { valid: false, reason: 'token_replayed' };
  } catch {
    return { valid: false, reason: 'token_use_unknown' };
  }
};

const mayCome = (endpoint: Endpoint, arrival: Arrival): boolean =>
  endpoint.allowsIp === null || endpoint.allowsIp(arrival.ip);

const verify = (
  endpoint: Endpoint,
  arrival: Arrival,
  checks: TokenChecks,
): Authentication | Promise<Authentication> => {
  const { profile } = endpoint;
  const { rawHeaders, nowMs } = arrival;
  if (profile === null) return { valid: false, reason: 'profile_invalid' };
  const secretsOf = (kind: keyof Endpoint['accessSecrets']) => secretsAt(endpoint.accessSecrets[kind], nowMs);
  switch (profile.family) {
    case 'hmac':
      return verifySigned(endpoint, profile, arrival);
    case 'basic':
      return verifyBasic({ username: endpoint.username, passwords: secretsOf('password'), rawHeaders });
    case 'unsigned':
      return verifyUnsigned({
        profile,
        urlToken: arrival.urlToken,
        urlTokens: secretsOf('url_token'),
        headerSecrets: secretsOf('header_token'),
        namesNetworks: endpoint.allowsIp !== null,
        rawHeaders,
      });
    case 'oauth_bearer':
      return verifyBearer({
        profile,
        keys: secretsAt(endpoint.tokenKeys, nowMs),
        issuer: arrival.issuer,
        audience: tokenAudience(endpoint.id),
        rawHeaders,
        nowMs,
      });
    case 'jwt':
      return verifyToken(endpoint, profile, arrival, checks);
  }
};

/**
 * Decides by the endpoint's one scheme whether the request is from its partner. What belongs to another scheme is not
 * looked at. A promise for tokens only: everything else is known at once.
 */
export const authenticate = (
  endpoint: Endpoint,
  arrival: Arrival,
  checks: TokenChecks,
): Authentication | Promise<Authentication> => {
  const judge = (verified: Authentication): Authentication =>
    !verified.valid || mayCome(endpoint, arrival) ? verified : { valid: false, reason: 'network_not_allowed' };
  const verified = verify(endpoint, arrival, checks);
  return verified instanceof Promise ? verified.then(judge) : judge(verified);
};

const nobodysSecret = [{ id: 'none', key: createSecretKey(randomBytes(32)) }];

/** Spends about the time of a real verification on a request to an endpoint that does not exist. */
export const pretendToAuthenticate = (partner: PartnerName, arrival: Arrival): void => {
  const profile = profileOf(defaultSchemeOf(partner));
  if (profile?.family === 'hmac') verifyHmac({ ...arrival, profile, secrets: nobodysSecret });
};
