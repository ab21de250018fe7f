import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { issueAccessToken, tokenAudience } from './issue-access-token.ts';
import { profiles } from './profile.ts';
import { newTokenKey, readTokenKey, type TokenSigningKey } from './token-key.ts';
import { verifyBearer, type BearerRequest } from './verify-bearer.ts';

const profile = profiles['workday-oauth'];
const nowMs = Date.UTC(2026, 2, 1, 12);
const nowSeconds = nowMs / 1_000;
const issuer = 'https://hub.example';
const audience = tokenAudience('endpoint-1');
const clientId = 'client-1';
const failed = (reason: string) => ({ valid: false, reason });

let key: TokenSigningKey;
let otherKey: TokenSigningKey;
beforeAll(async () => {
  key = await readTokenKey(newTokenKey());
  otherKey = await readTokenKey(newTokenKey());
});

const issue = async (overrides: Partial<Parameters<typeof issueAccessToken>[0]> = {}): Promise<string> =>
  (
    await issueAccessToken({
      profile,
      signingKey: key,
      issuer,
      audience,
      clientId,
      tokenId: 'token-1',
      nowMs,
      ...overrides,
    })
  ).accessToken;

const verify = (authorization: string | null, overrides: Partial<BearerRequest> = {}) =>
  verifyBearer({
    profile,
    keys: [key],
    issuer,
    audience,
    rawHeaders: authorization === null ? [] : ['Authorization', authorization],
    nowMs,
    ...overrides,
  });

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token made by hand, so that it can be wrong in ways that a library refuses to write. */
const forge = (header: Record<string, unknown>, claims: Record<string, unknown>): string => {
  const text = `${encode({ alg: 'Ed25519', typ: 'at+jwt', kid: key.keyId, ...header })}.${encode({
    iss: issuer,
    aud: audience,
    sub: clientId,
    client_id: clientId,
    jti: 'token-1',
    iat: nowSeconds,
    exp: nowSeconds + 3_600,
    ...claims,
  })}`;
  return `${text}.${sign(null, Buffer.from(text), key.privateKey).toString('base64url')}`;
};

describe('a token that the hub issued', () => {
  it('is accepted and names its client, itself and its end', async () => {
    expect(await verify(`Bearer ${await issue()}`)).toEqual({
      valid: true,
      secretId: clientId,
      clientId,
      tokenId: 'token-1',
      expiresAtMs: nowMs + 3_600_000,
      timestampMs: null,
      eventIdFromHeader: null,
    });
    expect(await verify(`bEARER ${await issue()}`)).toMatchObject({ valid: true });
    expect(await verify(`Bearer ${forge({}, {})}`)).toMatchObject({ valid: true });
  });

  it('lives for an hour at most and is accepted for 60 seconds more', async () => {
    const grant = await issueAccessToken({
      profile,
      signingKey: key,
      issuer,
      audience,
      clientId,
      tokenId: 't',
      nowMs,
      lifetimeSeconds: 9_999,
    });
    expect(grant).toMatchObject({
      tokenType: 'Bearer',
      expiresInSeconds: 3_600,
      expiresAt: new Date(nowMs + 3_600_000),
    });
    const at = (seconds: number) => verify(`Bearer ${grant.accessToken}`, { nowMs: nowMs + seconds * 1_000 });
    expect(await at(3_659)).toMatchObject({ valid: true });
    expect(await at(3_660)).toEqual(failed('token_expired'));
    expect(await at(-60)).toMatchObject({ valid: true });
    expect(await at(-61)).toEqual(failed('token_not_yet_valid'));
    expect(await at(Number.NaN)).toEqual(failed('token_expired'));
  });

  it('is refused at another endpoint and at another hub', async () => {
    const token = `Bearer ${await issue()}`;
    expect(await verify(token, { audience: tokenAudience('endpoint-2') })).toEqual(failed('token_audience_wrong'));
    expect(await verify(token, { issuer: 'https://other.example' })).toEqual(failed('token_issuer_wrong'));
  });

  it('is accepted while its key is kept for verification, and no longer', async () => {
    const token = `Bearer ${await issue({ signingKey: otherKey })}`;
    expect(await verify(token, { keys: [key, otherKey] })).toMatchObject({ valid: true });
    expect(await verify(token)).toEqual(failed('token_key_unknown'));
    expect(await verify(token, { keys: [] })).toEqual(failed('token_key_unknown'));
  });

  it('may be signed with ES256 where the profile allows it', async () => {
    const jwk = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    const ecKey = await readTokenKey(JSON.stringify(jwk));
    const token = `Bearer ${await issue({ signingKey: ecKey })}`;
    expect(await verify(token, { keys: [ecKey] })).toEqual(failed('token_algorithm_refused'));
    expect(await verify(token, { keys: [ecKey], profile: { ...profile, algorithms: ['ES256'] } })).toMatchObject({
      valid: true,
    });
  });
});

describe('a forged token', () => {
  it('signed with another key under the right key id is refused', async () => {
    const token = await issue({ signingKey: { ...otherKey, keyId: key.keyId } });
    expect(await verify(`Bearer ${token}`)).toEqual(failed('token_signature_mismatch'));
  });

  it('may not choose its algorithm: none, or HMAC with the public key', async () => {
    const [, claims] = (await issue()).split('.');
    for (const alg of ['none', 'None', 'HS256']) {
      const text = `${encode({ alg, typ: 'at+jwt', kid: key.keyId })}.${claims}`;
      const publicText = key.publicKey.export({ type: 'spki', format: 'pem' });
      const tag = createHmac('sha256', publicText).update(text).digest('base64url');
      expect(await verify(`Bearer ${text}.${tag}`)).toEqual(failed('token_algorithm_refused'));
    }
    expect(await verify(`Bearer ${forge({ alg: 'EdDSA' }, {})}`)).toEqual(failed('token_algorithm_refused'));
  });

  it('may not use a key for another algorithm than its own', async () => {
    const both = { ...profile, algorithms: ['Ed25519', 'ES256'] as const };
    expect(await verify(`Bearer ${forge({ alg: 'ES256' }, {})}`, { profile: both })).toEqual(
      failed('token_algorithm_refused'),
    );
  });

  it.each([
    ['no key id', { kid: undefined }, {}, 'token_key_unknown'],
    ['another type of token', { typ: 'JWT' }, {}, 'token_claims_invalid'],
    ['no type of token', { typ: undefined }, {}, 'token_claims_invalid'],
    ['an unknown critical extension', { crit: ['b64'], b64: false }, {}, 'malformed_token'],
    ['no expiry', {}, { exp: undefined }, 'token_claims_invalid'],
    ['no time of issue', {}, { iat: undefined }, 'token_claims_invalid'],
    ['no id', {}, { jti: undefined }, 'token_claims_invalid'],
    ['an empty id', {}, { jti: '' }, 'token_claims_invalid'],
    ['no issuer', {}, { iss: undefined }, 'token_issuer_wrong'],
    ['no audience', {}, { aud: undefined }, 'token_audience_wrong'],
    ['no subject', {}, { sub: undefined }, 'token_claims_invalid'],
    ['an empty client', {}, { sub: '', client_id: '' }, 'token_claims_invalid'],
    ['a client that is no text', {}, { sub: 7, client_id: 7 }, 'token_claims_invalid'],
    ['a subject that is not the client', {}, { sub: 'client-2' }, 'token_claims_invalid'],
    ['an expiry that is no number', {}, { exp: '9999999999' }, 'token_claims_invalid'],
    ['a lifetime over an hour', {}, { exp: nowSeconds + 3_601 }, 'token_lifetime_too_long'],
    ['a future time of issue', {}, { iat: nowSeconds + 61 }, 'token_not_yet_valid'],
    ['a future start', {}, { nbf: nowSeconds + 61 }, 'token_not_yet_valid'],
  ])('with %s is refused', async (_what, header, claims, reason) => {
    expect(await verify(`Bearer ${forge(header, claims)}`)).toEqual(failed(reason));
  });

  it('is refused however a real one was changed', async () => {
    const token = await issue();
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.stringMatching(/^[A-Za-z0-9._-]$/), async (at, letter) => {
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        // The last letter carries four bits that no byte uses.
        fc.pre(changed.slice(0, -1) !== token.slice(0, -1));
        expect(await verify(`Bearer ${changed}`)).toMatchObject({ valid: false });
      }),
      { numRuns: 300 },
    );
  });
});

describe('a request', () => {
  it('carries one token in one Authorization header', async () => {
    const token = await issue();
    expect(await verify(null)).toEqual(failed('missing_token'));
    const rawHeaders = ['Authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`];
    expect(await verify(null, { rawHeaders })).toEqual(failed('duplicate_header'));
    expect(await verify(`Bearer ${token}${'x'.repeat(4_096)}`)).toEqual(failed('header_too_long'));
    for (const value of [
      '',
      'Bearer',
      'Bearer ',
      token,
      `Basic ${token}`,
      `Bearer  ${token}`,
      `Bearer ${token} `,
      `Bearer ${token}, Bearer ${token}`,
      'Bearer a.b',
      'Bearer a.b.c',
      'Bearer ..',
      'Bearer a.b.c.d.e',
    ])
      expect(await verify(value), value).toEqual(failed('malformed_token'));
  });

  it('has a body that is not encoded', async () => {
    const rawHeaders = ['Authorization', `Bearer ${await issue()}`, 'Content-Encoding', 'gzip'];
    expect(await verify(null, { rawHeaders })).toEqual(failed('content_encoding'));
  });

  it('never makes the verifier reject', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('Authorization', 'Content-Encoding', 'Bearer e30.e30.e30'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 6 }), fc.double(), async (rawHeaders, clockMs) => {
        expect(await verify(null, { rawHeaders, nowMs: clockMs })).toMatchObject({ valid: false });
      }),
      { numRuns: 500 },
    );
  });
});

describe('a token key', () => {
  it('keeps its id, and is never a symmetric key', async () => {
    const text = newTokenKey();
    expect((await readTokenKey(text)).keyId).toBe((await readTokenKey(text)).keyId);
    await expect(readTokenKey(JSON.stringify({ kty: 'oct', k: 'AAAA' }))).rejects.toThrow(TypeError);
  });
});
