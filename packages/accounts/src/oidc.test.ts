import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub } from './test-hub.ts';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An identity provider over HTTP: discovery, keys and a token endpoint that signs what the test put into `claims`. */
const startProvider = async () => {
  const state = { claims: {} as Record<string, unknown> };
  let issuer = '';
  const idToken = (): string => {
    const seconds = Math.floor(Date.now() / 1_000);
    const payload = { iss: issuer, aud: 'hub', iat: seconds, exp: seconds + 60, ...state.claims };
    const signed = `${base64url({ alg: 'RS256', kid: 'one' })}.${base64url(payload)}`;
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
  };
  const documents: Record<string, () => object> = {
    '/.well-known/openid-configuration': () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    '/keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] }),
    '/token': () => ({ access_token: 'provider-access-token', token_type: 'Bearer', id_token: idToken() }),
  };
  const server: Server = createServer((request, response) => {
    const document = documents[request.url ?? ''];
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document?.() ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { issuer, state, stop: () => new Promise((resolve) => server.close(resolve)) };
};

let provider: Awaited<ReturnType<typeof startProvider>>;
let hub: Awaited<ReturnType<typeof startTestHub>>;
let companyId: string;
beforeAll(async () => {
  provider = await startProvider();
  hub = await startTestHub({ oidc: { issuer: provider.issuer, clientId: 'hub', clientSecret: 'secret' } });
  companyId = (await hub.company()).id;
});
afterAll(async () => {
  await hub.stop();
  await provider.stop();
});

/** Goes to the provider and comes back as the person of these claims. */
const signInThroughProvider = async (claims: Record<string, unknown>) => {
  const started = await hub.call('POST', '/api/v1/auth/oidc');
  const address = new URL(started.body.url);
  expect(address.searchParams.get('code_challenge_method')).toBe('S256');
  provider.state.claims = { nonce: address.searchParams.get('nonce'), ...claims };
  const query = new URLSearchParams({ code: 'a-code', state: address.searchParams.get('state') ?? '' });
  return hub.call('GET', `/api/v1/auth/callback/oidc?${query.toString()}`, { cookie: started.cookie });
};

describe('signing in through the identity provider', () => {
  it('opens the account with the same, verified address, and keeps none of the provider’s tokens', async () => {
    const { id, email } = await hub.person(companyId, 'viewer');
    const back = await signInThroughProvider({ sub: 's1', email, email_verified: true, name: 'P' });
    expect([back.status, back.headers.location]).toEqual([302, '/console']);
    const session = await hub.call('GET', '/api/v1/auth/session', { cookie: back.cookie });
    expect(session.body.person.id).toBe(id);
    const stored = JSON.stringify(await hub.database.owner`select * from sign_in_account`);
    expect(stored).not.toContain('provider-access-token');
    expect(stored).not.toContain('eyJ');
    const again = await signInThroughProvider({ sub: 's1', email, email_verified: true, name: 'P' });
    expect(again.headers.location).toBe('/console');
    expect(JSON.stringify(await hub.database.owner`select * from sign_in_account`)).not.toContain(
      'provider-access-token',
    );
  });

  it('ends a password that somebody set before the address was proven', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const planted = await hub.signIn(email);
    await signInThroughProvider({ sub: 's2', email, email_verified: true, name: 'P' });
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: planted })).status).toBe(401);
    expect(await hub.signIn(email)).toBe('');
  });

  it.each([
    ['an unverified address', { email_verified: false }],
    ['an unknown address', { email: 'new@example.org', email_verified: true }],
    ['another nonce', { email_verified: true, nonce: 'replayed' }],
    ['another audience', { email_verified: true, aud: 'someone-else' }],
  ])('refuses %s and opens no account', async (_name, claims) => {
    const { email } = await hub.person(companyId, 'viewer');
    const before = await hub.database.owner`select 1 from person`;
    const back = await signInThroughProvider({ sub: `s-${email}`, email, name: 'P', ...claims });
    expect([back.status, back.headers.location]).toEqual([302, '/console/sign-in?error=oidc']);
    expect((await hub.call('GET', '/api/v1/auth/session', { cookie: back.cookie })).status).toBe(401);
    expect(await hub.database.owner`select 1 from person`).toHaveLength(before.length);
  });

  it('refuses a callback that the browser did not begin', async () => {
    const { email } = await hub.person(companyId, 'viewer');
    const started = await hub.call('POST', '/api/v1/auth/oidc');
    const address = new URL(started.body.url);
    provider.state.claims = { sub: 's9', email, email_verified: true, nonce: address.searchParams.get('nonce') };
    const query = new URLSearchParams({ code: 'a-code', state: address.searchParams.get('state') ?? '' });
    const back = await hub.call('GET', `/api/v1/auth/callback/oidc?${query.toString()}`);
    expect(back.headers.location).toBe('/console/sign-in?error=oidc');
  });
});

describe('without the identity provider', () => {
  it('signing in with a password works, and signing in through it says what is missing', async () => {
    const lost = await startTestHub({
      oidc: { issuer: 'http://127.0.0.1:9', clientId: 'hub', clientSecret: 'secret' },
    });
    const none = await startTestHub();
    const { email } = await lost.person((await lost.company()).id, 'viewer');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const answer = await lost.call('POST', '/api/v1/auth/oidc');
      expect([answer.status, answer.body.code]).toEqual([503, 'accounts.oidc_unavailable']);
    }
    expect(await lost.signIn(email)).toContain('hub.session_token=');
    expect((await none.call('POST', '/api/v1/auth/oidc')).body.code).toBe('accounts.oidc_not_configured');
    await Promise.all([lost.stop(), none.stop()]);
  });
});
