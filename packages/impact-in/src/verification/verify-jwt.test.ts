import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { jwkFault, readPinnedKeys, type PinnedKey } from './pinned-keys.ts';
import { profiles } from './profile.ts';
import { nowMs } from './test-requests.ts';
import { audience, claimsAt, issuer, newIssuer, tokenOf, type TokenIssuer } from './test-tokens.ts';
import { verifyJwt, type JwtRequest } from './verify-jwt.ts';

const algorithms = ['RS256', 'PS256', 'ES256'] as const;
const issuers = Object.fromEntries(algorithms.map((name) => [name, newIssuer(name, name)])) as Record<
  (typeof algorithms)[number],
  TokenIssuer
>;
const es = issuers.ES256;
const nowSeconds = nowMs / 1_000;
const failed = (reason: string) => ({ valid: false, reason });

let keys: PinnedKey[];
beforeAll(async () => {
  keys = await readPinnedKeys({ keys: Object.values(issuers).map(({ jwk }) => jwk) });
});

const verify = (token: string | null, overrides: Partial<JwtRequest> = {}) =>
  verifyJwt({
    profile: profiles['workday-jwt'],
    trust: { issuer, audience, thumbprints: null },
    findKeys: (keyId) => keys.filter((key) => key.keyId === keyId),
    rawHeaders: token === null ? [] : ['Authorization', `Bearer ${token}`],
    nowMs,
    ...overrides,
  });

describe('a token that the partner signed', () => {
  it.each(algorithms)('with %s is accepted and named by its key', async (algorithm) => {
    const thumbprint = keys.find(({ keyId }) => keyId === algorithm)?.thumbprint ?? '';
    expect(await verify(tokenOf(issuers[algorithm]))).toMatchObject({
      valid: true,
      secretId: `jwk:${thumbprint}`,
      tokenId: `token-${nowSeconds}`,
      expiresAtMs: nowMs + 300_000,
    });
  });

  it.each(algorithms)('with %s by another library is accepted', async (algorithm) => {
    const token = await new SignJWT(claimsAt(nowMs))
      .setProtectedHeader({ alg: algorithm, kid: algorithm })
      .sign(issuers[algorithm].privateKey);
    expect(await verify(token)).toMatchObject({ valid: true });
  });

  it('is accepted for 60 seconds after its end and before its time', async () => {
    const at = (seconds: number) => verify(tokenOf(es), { nowMs: nowMs + seconds * 1_000 });
    expect(await at(359)).toMatchObject({ valid: true });
    expect(await at(360)).toEqual(failed('token_expired'));
    expect(await at(-60)).toMatchObject({ valid: true });
    expect(await at(-61)).toEqual(failed('token_not_yet_valid'));
    expect(await at(Number.NaN)).toEqual(failed('token_expired'));
  });

  it('is refused when its key is not one of the pinned thumbprints', async () => {
    const trust = { issuer, audience, thumbprints: new Set([keys[0]?.thumbprint ?? '']) };
    expect(await verify(tokenOf(issuers.RS256), { trust })).toMatchObject({ valid: true });
    expect(await verify(tokenOf(es), { trust })).toEqual(failed('token_key_unusable'));
  });

  it('is not judged while nobody can say whether its key exists', async () => {
    expect(await verify(tokenOf(es), { findKeys: () => 'unavailable' })).toEqual(failed('token_keys_unavailable'));
    expect(await verify(tokenOf(es), { findKeys: () => [] })).toEqual(failed('token_key_unknown'));
  });
});

describe('a token is refused', () => {
  it('with an algorithm that is not allowed, whatever its signature', async () => {
    const publicText = createPublicKey({ key: es.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    for (const alg of ['none', 'None', '', 'HS256', 'HS512', 'RS384', 'ES384', 'EdDSA', 'Ed25519', 'dir', 7, null]) {
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const text = `${encode({ alg, kid: es.keyId })}.${encode(claimsAt(nowMs))}`;
      const tag = createHmac('sha256', publicText).update(text).digest('base64url');
      expect(await verify(`${text}.${tag}`), String(alg)).toEqual(failed('token_algorithm_refused'));
    }
  });

  it('when its algorithm does not fit the key that it names', async () => {
    for (const algorithm of algorithms)
      for (const other of algorithms.filter((name) => name !== algorithm)) {
        const isSameType = algorithm !== 'ES256' && other !== 'ES256';
        const token = tokenOf(issuers[algorithm], {}, { kid: other });
        const expected = failed(isSameType ? 'token_signature_mismatch' : 'token_key_unusable');
        expect(await verify(token), `${algorithm} ${other}`).toEqual(expected);
      }
  });

  it('when its key says that it is for another algorithm', async () => {
    const [only] = await readPinnedKeys({ keys: [{ ...issuers.RS256.jwk, alg: 'RS256' }] });
    const findKeys = () => (only === undefined ? [] : [only]);
    expect(await verify(tokenOf(issuers.RS256), { findKeys })).toMatchObject({ valid: true });
    const asPss = tokenOf({ ...issuers.RS256, algorithm: 'PS256' });
    expect(await verify(asPss, { findKeys })).toEqual(failed('token_key_unusable'));
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['no key id', { kid: undefined }, {}, 'token_key_unknown'],
    ['a key id that is no text', { kid: 7 }, {}, 'token_key_unknown'],
    ['a key id that is too long', { kid: 'x'.repeat(257) }, {}, 'token_key_unknown'],
    ['a key that it brings along', { kid: 'unknown', jwk: es.jwk }, {}, 'token_key_unknown'],
    ['an address for keys of its own', { kid: 'unknown', jku: 'https://evil.example' }, {}, 'token_key_unknown'],
    ['another purpose', { typ: 'secevent+jwt' }, {}, 'token_claims_invalid'],
    ['a critical extension', { crit: ['exp'], exp: 1 }, {}, 'malformed_token'],
    ['an empty list of critical extensions', { crit: [] }, {}, 'malformed_token'],
    ['an unencoded payload', { crit: ['b64'], b64: false }, {}, 'malformed_token'],
    ['no issuer', {}, { iss: undefined }, 'token_issuer_wrong'],
    ['another issuer', {}, { iss: `${issuer}/` }, 'token_issuer_wrong'],
    ['no audience', {}, { aud: undefined }, 'token_audience_wrong'],
    ['another audience', {}, { aud: ['urn:other'] }, 'token_audience_wrong'],
    ['no expiry', {}, { exp: undefined }, 'token_claims_invalid'],
    ['an expiry that is no number', {}, { exp: '9999999999' }, 'token_claims_invalid'],
    ['no time of issue', {}, { iat: undefined }, 'token_claims_invalid'],
    ['no id', {}, { jti: undefined }, 'token_claims_invalid'],
    ['an empty id', {}, { jti: '' }, 'token_claims_invalid'],
    ['an id that is no text', {}, { jti: 7 }, 'token_claims_invalid'],
    ['a very long id', {}, { jti: 'x'.repeat(257) }, 'token_claims_invalid'],
    ['a lifetime over an hour', {}, { exp: nowSeconds + 3_601 }, 'token_lifetime_too_long'],
    ['a future start', {}, { nbf: nowSeconds + 61 }, 'token_not_yet_valid'],
    ['a start that is no number', {}, { nbf: 'now' }, 'token_claims_invalid'],
  ])('with %s', async (_what, header, claims, reason) => {
    expect(await verify(tokenOf(es, claims, header))).toEqual(failed(reason));
  });

  it('signed by another key under the right id', async () => {
    expect(await verify(tokenOf(newIssuer('ES256', es.keyId)))).toEqual(failed('token_signature_mismatch'));
  });

  it('without asking for keys when it cannot be right anyway', async () => {
    const findKeys = vi.fn<() => PinnedKey[]>(() => []);
    await verify(tokenOf(es, { iss: 'https://evil.example' }), { findKeys });
    await verify(tokenOf(es, { exp: nowSeconds - 100, iat: nowSeconds - 200 }), { findKeys });
    await verify('a.b.c', { findKeys });
    expect(findKeys).not.toHaveBeenCalled();
  });

  it('after as many keys as can have one id by chance, however many are published under it', async () => {
    const sameId = await readPinnedKeys({
      keys: Array.from({ length: 6 }, () => newIssuer('ES256', es.keyId).jwk).toSpliced(4, 1, es.jwk),
    });
    const among = (last: number) => verify(tokenOf(es), { findKeys: () => sameId.slice(last - 3, last + 1) });
    expect(await among(4)).toMatchObject({ valid: true });
    expect(await verify(tokenOf(es), { findKeys: () => sameId })).toEqual(failed('token_signature_mismatch'));
  });

  it('however it was changed', async () => {
    const tokens = algorithms.map((algorithm) => tokenOf(issuers[algorithm]));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...tokens),
        fc.nat(),
        fc.stringMatching(/^[A-Za-z0-9._-]$/),
        async (token, position, letter) => {
          const at = position % token.length;
          const changed = token.slice(0, at) + letter + token.slice(at + 1);
          // The last letter carries bits that no byte uses.
          fc.pre(changed.slice(0, -1) !== token.slice(0, -1));
          expect(await verify(changed)).toMatchObject({ valid: false });
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('a request', () => {
  it('carries one token in one Authorization header', async () => {
    const token = tokenOf(es);
    expect(await verify(null)).toEqual(failed('missing_token'));
    const twice = ['Authorization', `Bearer ${token}`, 'authorization', `Bearer ${token}`];
    expect(await verify(null, { rawHeaders: twice })).toEqual(failed('duplicate_header'));
    expect(await verify(`${token}${'x'.repeat(4_096)}`)).toEqual(failed('header_too_long'));
    for (const value of ['', `${token} `, 'a.b', '..', 'a.b.c.d.e'])
      expect(await verify(value), value).toEqual(failed('malformed_token'));
  });

  it('never makes the verifier reject', async () => {
    const part = fc.oneof(
      fc.constantFrom('eyJhbGciOiJFUzI1NiIsImtpZCI6IkVTMjU2In0', 'e30', 'bnVsbA', 'W10'),
      fc.stringMatching(/^[\w-]{1,40}$/),
    );
    await fc.assert(
      fc.asyncProperty(part, part, part, fc.double(), async (head, claims, signature, clockMs) => {
        const token = `${head}.${claims}.${signature}`;
        expect(await verify(token, { nowMs: clockMs })).toMatchObject({ valid: false });
      }),
      { numRuns: 500 },
    );
  });
});

describe('a key', () => {
  const rsa = issuers.RS256.jwk;
  const small = generateKeyPairSync('rsa', { modulusLength: 1_024 }).publicKey.export({ format: 'jwk' });

  it.each([
    ['a private key', { ...es.privateKey.export({ format: 'jwk' }), kid: 'k' }, 'd'],
    ['a symmetric key', { kty: 'oct', k: 'AAAA', kid: 'k' }, 'k'],
    ['another curve', { kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'k' }, 'kty'],
    ['no type', { kid: 'k' }, 'kty'],
    ['another algorithm', { ...rsa, alg: 'RS512' }, 'alg'],
    ['the algorithm of another type', { ...rsa, alg: 'ES256' }, 'alg'],
    ['no id', { ...rsa, kid: undefined }, 'kid'],
    ['a key for encryption', { ...rsa, use: 'enc' }, 'use'],
    ['other operations', { ...rsa, key_ops: ['sign'] }, 'key_ops'],
    ['too few bits', { ...small, kid: 'k' }, 'n'],
    ['an exponent that makes checking slow', { ...rsa, e: 'AQAAAAE' }, 'e'],
    ['a point that is not on the curve', { ...es.jwk, x: es.jwk.y }, 'x'],
    ['no modulus', { ...rsa, n: undefined }, 'n'],
  ])('%s is not pinned, and in a set left out', async (_what, jwk, field) => {
    expect(jwkFault(jwk as never)?.field).toBe(field);
    expect(await readPinnedKeys({ keys: [jwk, es.jwk, 7, null] })).toHaveLength(1);
  });

  it('comes in a set', async () => {
    for (const jwks of [null, 7, [], {}, { keys: {} }]) await expect(readPinnedKeys(jwks)).rejects.toThrow(TypeError);
  });
});
