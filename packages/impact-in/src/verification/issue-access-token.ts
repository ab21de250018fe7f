import { SignJWT } from 'jose';
import type { BearerProfile } from './profile.ts';
import type { TokenSigningKey } from './token-key.ts';

export type TokenGrant = {
  profile: BearerProfile;
  signingKey: TokenSigningKey;
  /** The hub's public URL. */
  issuer: string;
  /** Made by `tokenAudience`. */
  audience: string;
  clientId: string;
  /** Unique; kept with each receipt, so that what a leaked token did can be found. */
  tokenId: string;
  nowMs: number;
  /** Shortened to the profile's limit; default that limit. */
  lifetimeSeconds?: number;
};

export type AccessToken = { accessToken: string; tokenType: 'Bearer'; expiresInSeconds: number; expiresAt: Date };

/** JWT media type of OAuth 2 access tokens (RFC 9068 §2.1): an ID token or other JWT cannot be passed off as one. */
export const accessTokenType = 'at+jwt';

/** The `aud` of one endpoint's tokens, so that a token is of no use at another endpoint. */
export const tokenAudience = (endpointId: string): string => `urn:impact-hub:endpoint:${endpointId}`;

/** Issues a signed access token (RFC 9068) after the caller has checked the client's credentials. */
export const issueAccessToken = async (grant: TokenGrant): Promise<AccessToken> => {
  const { profile, signingKey } = grant;
  const issuedAtSeconds = Math.floor(grant.nowMs / 1_000);
  const expiresInSeconds = Math.min(grant.lifetimeSeconds ?? profile.maxLifetimeSeconds, profile.maxLifetimeSeconds);
  const expiresAtSeconds = issuedAtSeconds + expiresInSeconds;
  const accessToken = await new SignJWT({ client_id: grant.clientId })
    .setProtectedHeader({ alg: signingKey.algorithm, typ: accessTokenType, kid: signingKey.keyId })
    .setIssuer(grant.issuer)
    .setSubject(grant.clientId)
    .setAudience(grant.audience)
    .setJti(grant.tokenId)
    .setIssuedAt(issuedAtSeconds)
    .setExpirationTime(expiresAtSeconds)
    .sign(signingKey.privateKey);
  return { accessToken, tokenType: 'Bearer', expiresInSeconds, expiresAt: new Date(expiresAtSeconds * 1_000) };
};
