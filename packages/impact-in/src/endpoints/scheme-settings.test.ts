import { describe, expect, test } from 'vitest';
import { read, useTestHub } from '../test-hub.ts';
import { knownSenders } from '../verification/known-senders.ts';
import { newIssuer } from '../verification/test-tokens.ts';
import { postEndpoint } from './test-management.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

const post = (body: object) => postEndpoint(hub, companyId, { name: 'x', ...body });

type View = Record<string, unknown> & { id: string; secrets: { kind: string }[] };

const create = async (body: object): Promise<View> => {
  const answer = await post(body);
  expect(answer.statusCode, answer.body).toBe(201);
  return answer.json<View>();
};
const shown = async (id: string): Promise<View> => (await read(hub, companyId, `/endpoints/${id}`)).json<View>();

const { jwk } = newIssuer('ES256');
const { jwk: rsa } = newIssuer('RS256', 'rsa');
const trust = { issuer: 'https://partner.example', audience: 'urn:hub' };
const jwt = { ...trust, jwks: { keys: [jwk] } };
const custom = { partner: 'benevity', scheme: 'custom-hmac' };
const thumbprint = 'A'.repeat(43);

describe('a created endpoint', () => {
  test('of a custom profile shows it, and takes over a secret without ever showing it', async () => {
    const made = await create({ ...custom, profile: { ...knownSenders.stripe, toleranceSeconds: 600 } });
    expect(made).toMatchObject({ verification: 'hmac', weak: false, toleranceSeconds: 600 });
    expect(made['secret']).toMatch(/^whsec_/);
    expect(made['profile']).toMatchObject({ signatureHeader: 'Stripe-Signature', signedTemplate: '{ts}.{body}' });
    const secret = 'whsec_of-the-sender-itself';
    const given = await create({ ...custom, profile: knownSenders.stripe, secret });
    expect(JSON.stringify([given, await shown(given.id)])).not.toContain(secret);
    const stored = await hub.owner`select body from audit_event where resource_id = ${given.id}`;
    expect(String(stored[0]?.['body'])).not.toContain(secret);
  });

  test.each([
    ['hex', /^[\da-f]{64}$/],
    ['base64', /^[A-Za-z0-9+/]{43}=$/],
    ['whsec', /^whsec_/],
  ])('gets a secret in the encoding %s of its profile', async (keyEncoding, form) => {
    const made = await create({ ...custom, profile: { ...knownSenders.stripe, keyEncoding } });
    expect(made['secret']).toMatch(form);
  });

  test.each([
    { partner: 'benevity', scheme: 'benevity-legacy', acceptWeak: true },
    { partner: 'goodera', scheme: 'goodera-legacy', acceptWeak: true },
    { partner: 'workday', scheme: 'workday-legacy', acceptWeak: true },
    { ...custom, profile: knownSenders.github, acceptWeak: true },
  ])('of a weak scheme says so, also in the audit: $scheme', async (body) => {
    const made = await create(body);
    expect(made).toMatchObject({ weak: true, verification: 'hmac' });
    expect(await shown(made.id)).toMatchObject({ weak: true });
    const stored = await hub.owner`select body from audit_event where resource_id = ${made.id}`;
    expect(String(stored[0]?.['body'])).toContain('"weak":true');
  });

  test('whose partner signs tokens has no secret, and keeps nothing of the keys but what checks them', async () => {
    const made = await create({
      partner: 'workday',
      scheme: 'workday-jwt',
      jwt: { ...jwt, jwks: { keys: [{ ...jwk, x5c: ['MIIB'] }, rsa] }, thumbprints: [thumbprint] },
    });
    expect(made).toMatchObject({
      verification: 'jwt',
      weak: false,
      secrets: [],
      jwt: { ...trust, thumbprints: [thumbprint] },
    });
    expect(JSON.stringify(await shown(made.id))).not.toContain('MIIB');
    expect(made).not.toHaveProperty('secret');
    const atUrl = await create({
      partner: 'benevity',
      scheme: 'benevity-jwt',
      jwt: { ...trust, jwksUrl: 'https://partner.example/jwks' },
    });
    expect(atUrl['jwt']).toEqual({ ...trust, jwksUrl: 'https://partner.example/jwks' });
  });

  test('of HTTP Basic gets a password, under its id or a name of choice', async () => {
    const byId = await create({ partner: 'workday', scheme: 'workday-basic' });
    expect(byId).toMatchObject({ username: byId.id, verification: 'basic', weak: false });
    expect(byId['password']).toMatch(/^hubpw_[\w-]{43}$/);
    const named = await create({ partner: 'workday', scheme: 'workday-basic', username: 'wörkday' });
    expect(named).toMatchObject({ username: 'wörkday' });
    const view = await shown(named.id);
    expect(view).toMatchObject({ username: 'wörkday', secrets: [{ kind: 'password' }] });
    expect(view).not.toHaveProperty('password');
  });

  test('for unsigned events gets two tokens', async () => {
    const made = await create({
      partner: 'goodera',
      scheme: 'goodera-unsigned',
      acceptWeak: true,
      allowedNetworks: ['127.0.0.1'],
    });
    expect(made).toMatchObject({ verification: 'unsigned', weak: true, secretHeader: 'X-Webhook-Token' });
    expect([made['urlToken'], made['headerToken']]).toEqual([
      expect.stringMatching(/^hubut_[\w-]{43}$/),
      expect.stringMatching(/^hubht_[\w-]{43}$/),
    ]);
    expect(JSON.stringify(await shown(made.id))).not.toMatch(/hub[uh]t_/);
  });
});

const profileWith = (change: object) => ({ ...custom, profile: { ...knownSenders.charityStack, ...change } });
const jwtWith = (change: object) => ({ partner: 'workday', scheme: 'workday-jwt', jwt: { ...jwt, ...change } });

describe('is refused, naming the field:', () => {
  test.each<[string, object]>([
    ['/body/acceptWeak', { partner: 'benevity', scheme: 'benevity-legacy' }],
    ['/body/acceptWeak', { partner: 'benevity', scheme: 'benevity-legacy', acceptWeak: false }],
    ['/body/acceptWeak', { partner: 'benevity', acceptWeak: true }],
    ['/body/acceptWeak', { ...custom, profile: knownSenders.github }],
    ['/body/acceptWeak', { partner: 'goodera', scheme: 'goodera-unsigned', allowedNetworks: ['127.0.0.1'] }],
    ['/body/allowedNetworks', { partner: 'goodera', scheme: 'goodera-unsigned', acceptWeak: true }],
    ['/body/profile', custom],
    ['/body/profile', { partner: 'benevity', profile: knownSenders.stripe }],
    ['/body/profile/container', profileWith({ container: 'nonsense' })],
    ['/body/profile/nonsense', profileWith({ nonsense: 1 })],
    ['/body/profile/prefix', profileWith({ prefix: undefined })],
    ['/body/profile/timestampHeader', profileWith({ timestampHeader: undefined })],
    ['/body/profile/timestampHeader', profileWith({ timestampHeader: 'X Timestamp' })],
    ['/body/profile/signatureHeader', profileWith({ signatureHeader: 'Authorization' })],
    ['/body/profile/signatureHeader', profileWith({ signatureHeader: 'X-Webhook-Timestamp' })],
    ['/body/profile/idHeader', profileWith({ idHeader: 'X-Webhook-ID' })],
    ['/body/profile/signedTemplate', profileWith({ signedTemplate: '{ts}.{url}.{body}' })],
    ['/body/profile/signedTemplate', profileWith({ idHeader: 'X-Id', signedTemplate: '{id}:{ts}:{body}' })],
    ['/body/profile/timestampFormat', profileWith({ timestampFormat: 'none' })],
    ['/body/profile/toleranceSeconds', profileWith({ toleranceSeconds: 901 })],
    ['/body/profile/payloadTimestampField', profileWith({ payloadTimestampField: 'at' })],
    ['/body/secret', { partner: 'benevity', secret: 'whsec_0123456789abcdef' }],
    ['/body/secret', { ...custom, profile: knownSenders.stripe, secret: 'short' }],
    [
      '/body/secret',
      { ...custom, profile: { ...knownSenders.stripe, keyEncoding: 'hex' }, secret: 'no hexadecimal!!' },
    ],
    ['/body/jwt', { partner: 'workday', scheme: 'workday-jwt' }],
    ['/body/jwt', { partner: 'workday', jwt }],
    ['/body/jwt/issuer', jwtWith({ issuer: '' })],
    ['/body/jwt/audience', jwtWith({ audience: undefined })],
    ['/body/jwt/jwks/keys', jwtWith({ jwks: { keys: Array.from({ length: 5 }, () => jwk) } })],
    ['/body/jwt/jwks/keys/0/e', jwtWith({ jwks: { keys: [{ ...rsa, e: 'AQAAAAE' }] } })],
    ['/body/jwt/jwksUrl', jwtWith({ jwksUrl: 'https://partner.example/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'nonsense' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'http://partner.example/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'https://user:pass@partner.example/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'https://169.254.169.254/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'https://[::1]/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'https://0x7f000001/jwks' })],
    ['/body/jwt/jwksUrl', jwtWith({ jwks: undefined, jwksUrl: 'file:///etc/passwd' })],
    ['/body/jwt/jwks/keys', jwtWith({ jwks: { keys: [] } })],
    ['/body/jwt/jwks/keys/1/d', jwtWith({ jwks: { keys: [jwk, { ...jwk, d: 'AAAA' }] } })],
    ['/body/jwt/jwks/keys/0/kid', jwtWith({ jwks: { keys: [{ ...jwk, kid: undefined }] } })],
    ['/body/jwt/jwks/keys/0/kty', jwtWith({ jwks: { keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'AAAA', kid: 'k' }] } })],
    ['/body/jwt/thumbprints/0', jwtWith({ thumbprints: ['nonsense'] })],
    ['/body/username', { partner: 'workday', scheme: 'workday-basic', username: 'with:colon' }],
    ['/body/username', { partner: 'workday', username: 'someone' }],
    ['/body/scheme', { partner: 'benevity', scheme: 'workday-basic' }],
    ['/body/scheme', { partner: 'goodera', scheme: 'workday-jwt', jwt }],
  ])('%s of %j', async (pointer, body) => {
    const answer = await post(body);
    expect(answer.statusCode, answer.body).toBe(400);
    expect(answer.json<{ errors: { pointer: string }[] }>().errors.map((error) => error.pointer)).toContain(pointer);
  });

  test('nothing is stored of it', async () => {
    const count = async () => (await hub.owner`select count(*)::int as n from impact_in_endpoint`)[0]?.['n'] as number;
    const before = await count();
    await post(profileWith({ prefix: undefined }));
    await post({ partner: 'benevity', scheme: 'benevity-legacy' });
    expect(await count()).toBe(before);
  });
});
