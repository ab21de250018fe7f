import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { Clock, CompanyPrincipal } from '@impact-hub/core';

/** A public key as RFC 8037 writes it. */
export type PublicJwk = { kty: 'OKP'; crv: 'Ed25519'; x: string; kid: string; alg: 'EdDSA'; use: 'sig' };

export type IdentitySigner = {
  /** A compact JWS that tells the upstream who is calling. */
  tokenFor(principal: CompanyPrincipal, audience: string): string;
  publicKey: PublicJwk;
};

/** PKCS #8 around the 32 bytes of an Ed25519 seed (RFC 8410 §7). */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

const keyFromSeed = (seed: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });

const publicJwkOf = (privateKey: KeyObject): PublicJwk => {
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  // The thumbprint of RFC 7638: members in this order, no spaces.
  const kid = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  return { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
};

const lifetimeSeconds = 60;
/** Signing costs some 40 µs: a token serves its caller for this long, and still holds as long again when it arrives. */
const reuseMs = 30_000;
const mostTokens = 10_000;

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const claimsOf = (principal: CompanyPrincipal) => ({
  sub: principal.kind === 'api_key' ? principal.keyId : principal.personId,
  kind: principal.kind,
  company: principal.companyId,
  ...(principal.kind === 'api_key' ? { environment: principal.environment } : { role: principal.role }),
  scopes: [...principal.scopes],
});

type Token = { text: string; renewAtMs: number };

/**
 * Signs identities with one key that all processes derive alike. Tokens name the caller and the upstream, not the
 * request: so they can be used again, and an upstream that gets one could show it to nobody but itself.
 * @param seed 32 secret bytes
 */
export const createIdentitySigner = (deps: { seed: Buffer; issuer: string; clock: Clock }): IdentitySigner => {
  const { issuer, clock } = deps;
  const privateKey = keyFromSeed(deps.seed);
  const publicKey = publicJwkOf(privateKey);
  const header = encode({ alg: 'EdDSA', typ: 'JWT', kid: publicKey.kid });
  /** By audience and claims: a key whose scopes change gets another token at once. */
  const tokens = new Map<string, Token>();
  /** Cached keys are the same object in every request. */
  const byPrincipal = new WeakMap<CompanyPrincipal, Map<string, Token>>();

  const issue = (claims: ReturnType<typeof claimsOf>, audience: string, nowMs: number): Token => {
    const iat = Math.floor(nowMs / 1_000);
    const body = `${header}.${encode({ iss: issuer, aud: audience, iat, exp: iat + lifetimeSeconds, ...claims })}`;
    const signature = sign(null, Buffer.from(body), privateKey).toString('base64url');
    return { text: `${body}.${signature}`, renewAtMs: nowMs + reuseMs };
  };
  const find = (principal: CompanyPrincipal, audience: string, nowMs: number): Token => {
    const claims = claimsOf(principal);
    const key = JSON.stringify([audience, claims]);
    const known = tokens.get(key);
    if (known !== undefined && nowMs < known.renewAtMs) return known;
    if (tokens.size >= mostTokens) tokens.clear();
    const token = issue(claims, audience, nowMs);
    tokens.set(key, token);
    return token;
  };

  return {
    publicKey,
    tokenFor(principal, audience) {
      const nowMs = clock.nowMs();
      const own = byPrincipal.get(principal);
      const known = own?.get(audience);
      if (known !== undefined && nowMs < known.renewAtMs) return known.text;
      const token = find(principal, audience, nowMs);
      if (own === undefined) byPrincipal.set(principal, new Map([[audience, token]]));
      else own.set(audience, token);
      return token.text;
    },
  };
};
