import { accountsModule, createAccounts, createCompany, createPerson } from '@impact-hub/accounts';
import {
  apiKeysModule,
  createApiKey,
  createApiKeyVerifier,
  createKeyWatchMetrics,
  createLeakReports,
  type CreateApiKeyInput,
} from '@impact-hub/api-keys';
import {
  bindModule,
  buildHttpServer,
  createHttpMetrics,
  createLogger,
  createMetrics,
  createOutbox,
  defineModule,
  routeDefiner,
  startChangeFeed,
  systemClock,
} from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import type { FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createAccessPolicy } from './create-access-policy.ts';

const publicUrl = 'http://127.0.0.1:3000';
const clock = systemClock;
const by = { actor: { kind: 'system', id: 'test' } } as const;
const password = 'correct horse battery';
const scopeCatalogue = { ...accountsModule.scopes, ...apiKeysModule.scopes, 'deliveries:replay': 'Replay.' };

const defineRoute = routeDefiner<null>();
const probe = defineModule<null>({
  name: 'probe',
  routes: (['GET', 'POST'] as const).map((method) =>
    defineRoute({
      method,
      path: '/api/v1/probe',
      operationId: `${method.toLowerCase()}Probe`,
      summary: 'Probe',
      access: { scopes: ['deliveries:replay', 'data:read'] },
      output: { 200: z.object({ kind: z.string(), companyId: z.string() }) },
      handler: ({ principal }) => principal,
    }),
  ),
});

const logged: Record<string, unknown>[] = [];

const startHub = async (database: TestDatabase) => {
  const { db, systemUrl } = database;
  const changes = await startChangeFeed(db);
  const metrics = createMetrics();
  const apiKeys = createApiKeyVerifier({ db, changes, clock, metrics });
  const accounts = createAccounts({
    db,
    systemUrl,
    secret: 'a secret of more than thirty-two characters',
    publicUrl,
    clock,
    scopeCatalogue,
  });
  const authorize = createAccessPolicy({ apiKeys, accounts, publicUrl });
  const routeTable = [...probe.routes, ...accountsModule.routes, ...apiKeysModule.routes];
  const keyWatchMetrics = createKeyWatchMetrics(metrics);
  const leakReports = createLeakReports({ policy: 'revoke', metrics });
  const server = buildHttpServer({
    modules: [
      bindModule(accountsModule, { db, clock, accounts, scopeCatalogue }),
      bindModule(apiKeysModule, {
        db,
        clock,
        scopeCatalogue,
        routeTable,
        leakReports,
        outbox: createOutbox({}),
        keyWatchMetrics,
      }),
      bindModule(probe, null),
    ],
    authorize,
    log: createLogger({ level: 'info' }, { write: (line) => void logged.push(JSON.parse(line)) }),
    metrics: createHttpMetrics(metrics),
  });
  await server.ready();
  const stop = async () => {
    await server.close();
    await Promise.all([changes.stop(), apiKeys.stop(), accounts.stop()]);
  };
  return { server, authorize, metrics, stop };
};

let database: TestDatabase;
let hub: Awaited<ReturnType<typeof startHub>>;
let companyId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  hub = await startHub(database);
  companyId = (await database.db.system((tx) => createCompany(tx, { clock }, by, { name: 'Company' }))).id;
});
afterAll(async () => {
  await hub.stop();
  await database.drop();
});

const defaults: CreateApiKeyInput = {
  name: 'Key',
  environment: 'live',
  scopes: ['data:read', 'deliveries:replay'],
  rateLimitPerMinute: 60,
  allowedIps: [],
  metadata: {},
  expiresAt: undefined,
};
const makeKey = (overrides: Partial<CreateApiKeyInput> = {}) =>
  database.db.company(companyId, (tx) =>
    createApiKey(tx, { clock, scopeCatalogue }, { ...by, scopes: null }, { ...defaults, ...overrides }),
  );

type Method = 'GET' | 'POST' | 'DELETE';
const call = async (method: Method, url: string, headers: Record<string, string> = {}, payload?: object) => {
  const response = await hub.server.inject({ method, url, headers, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, headers: response.headers, body: response.body === '' ? {} : response.json() };
};

const signIn = async (role: 'company_admin' | 'operator' | 'viewer') => {
  const email = `${Math.random().toString(36).slice(2)}@example.org`;
  await database.db.system((tx) => createPerson(tx, { clock }, by, { companyId, email, name: 'P', role, password }));
  const { headers } = await call('POST', '/api/v1/auth/sign-in', {}, { email, password });
  return { cookie: String([headers['set-cookie']].flat()[0]).split(';')[0] ?? '', email };
};

describe('API keys', () => {
  it('work in either header, and a cached one is admitted without a promise', async () => {
    const { key, keyId } = await makeKey();
    expect((await call('GET', '/api/v1/probe', { 'x-api-key': key })).body).toEqual({ kind: 'api_key', companyId });
    expect((await call('GET', '/api/v1/probe', { authorization: `Bearer ${key}` })).status).toBe(200);
    expect((await call('GET', '/api/v1/probe', { authorization: `bearer ${key}`, 'x-api-key': key })).status).toBe(200);
    const request = { method: 'GET', ip: '127.0.0.1', headers: { 'x-api-key': key } } as unknown as FastifyRequest;
    expect(hub.authorize(request, 'signedIn')).toMatchObject({ kind: 'api_key', keyId });
  });

  it('are refused when two different ones come at once', async () => {
    const [one, two] = [await makeKey(), await makeKey()];
    const answer = await call('GET', '/api/v1/probe', { 'x-api-key': one.key, authorization: `Bearer ${two.key}` });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([400, '/headers/x-api-key']);
  });

  it('get one and the same 401 whatever is wrong with them; the log has the reason', async () => {
    const { key, keyId } = await makeKey();
    const revoked = await makeKey();
    const admin = await makeKey({ scopes: ['admin'] });
    await call('DELETE', `/admin/api-keys/${revoked.keyId}`, { 'x-api-key': admin.key });
    const elsewhere = await makeKey({ allowedIps: ['198.51.100.0/24'] });
    const wrong: Record<string, string>[] = [
      {},
      { 'x-api-key': '' },
      { 'x-api-key': 'nonsense' },
      { 'x-api-key': `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}` },
      { 'x-api-key': revoked.key },
      { 'x-api-key': elsewhere.key },
      { authorization: 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.x' },
      { authorization: 'Basic dXNlcjpwYXNz' },
      { cookie: 'hub.session_token=made.up' },
    ];
    logged.length = 0;
    const answers = await Promise.all(wrong.map((headers) => call('GET', '/api/v1/probe', headers)));
    for (const { status, body, headers } of answers) {
      expect(status).toBe(401);
      expect({ ...body, requestId: '' }).toEqual({ ...answers[0]?.body, requestId: '' });
      expect(headers['www-authenticate']).toBe('Bearer realm="impact-hub"');
    }
    expect(new Set(logged.map((line) => line['authReason']))).toEqual(
      new Set(['no_credentials', 'malformed', 'bad_checksum', 'revoked', 'ip_not_allowed', 'session_ended']),
    );
    expect(JSON.stringify(logged)).not.toContain(key.slice(22));
    expect(keyId).toHaveLength(12);
  });

  it('without a scope get a 403 that names what is needed', async () => {
    const { key } = await makeKey({ scopes: ['data:read'] });
    const answer = await call('POST', '/api/v1/probe', { 'x-api-key': key });
    expect([answer.status, answer.body.code]).toEqual([403, 'auth.forbidden']);
    expect(answer.body.detail).toContain('deliveries:replay, data:read');
  });

  it('of the test environment read, make test keys, and change nothing live', async () => {
    const { key } = await makeKey({ environment: 'test', scopes: Object.keys(scopeCatalogue) });
    const headers = { 'x-api-key': key };
    expect((await call('GET', '/api/v1/probe', headers)).status).toBe(200);
    const person = { email: 'taker@example.org', name: 'Taker', role: 'company_admin' };
    const changes = [
      await call('POST', '/api/v1/probe', headers),
      await call('POST', '/api/v1/people', headers, person),
      await call('DELETE', `/admin/api-keys/${(await makeKey()).keyId}`, headers),
    ];
    for (const { status, body } of changes)
      expect([status, body.code]).toEqual([403, expect.stringMatching(/\.environment_not_allowed$/)]);
    const wanted = (environment: string) => ({ name: 'Next', environment, scopes: ['data:read'] });
    expect((await call('POST', '/admin/api-keys', headers, wanted('test'))).status).toBe(201);
    expect((await call('POST', '/admin/api-keys', headers, wanted('live'))).status).toBe(403);
  });

  it('are refused under the name of another company', async () => {
    const { key } = await makeKey();
    const ask = (id: string) => call('GET', '/api/v1/probe', { 'x-api-key': key, 'x-company-id': id });
    const other = await ask('0192f000-0000-7000-8000-000000000000');
    expect([other.status, other.body.errors[0].pointer]).toEqual([400, '/headers/x-company-id']);
    expect((await ask(companyId.toUpperCase())).status).toBe(200);
  });

  it('have no sessions', async () => {
    const { key } = await makeKey();
    expect((await call('GET', '/api/v1/auth/session', { 'x-api-key': key })).body.code).toBe('accounts.people_only');
  });

  it.each(['live', 'test'] as const)('of all scopes never administer the system (%s)', async (environment) => {
    const { key } = await makeKey({ environment, scopes: Object.keys(scopeCatalogue) });
    for (const path of ['/api/v1/companies', '/api/v1/people/release-address'])
      expect((await call('POST', path, { 'x-api-key': key }, {})).body.code).toBe('accounts.system_admin_only');
  });
});

describe('session cookies', () => {
  it('may change things from the hub’s own pages only', async () => {
    const { cookie } = await signIn('company_admin');
    const change = (headers: Record<string, string>) => call('POST', '/api/v1/probe', { cookie, ...headers });
    expect((await change({})).body.code).toBe('auth.cross_site_request');
    expect((await change({ origin: 'https://evil.example' })).status).toBe(403);
    expect((await change({ origin: 'null' })).status).toBe(403);
    for (const site of ['cross-site', 'same-site', 'none'])
      expect((await change({ 'sec-fetch-site': site, origin: publicUrl })).status).toBe(403);
    expect((await change({ 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    expect((await change({ origin: publicUrl })).status).toBe(200);
    expect((await call('GET', '/api/v1/probe', { cookie })).status).toBe(200);
  });

  it('give the scopes of the role', async () => {
    const { cookie } = await signIn('viewer');
    expect((await call('GET', '/api/v1/probe', { cookie })).status).toBe(403);
  });

  it('of any other role do not administer the system', async () => {
    const { cookie } = await signIn('company_admin');
    const answer = await call('POST', '/api/v1/companies', { cookie, origin: publicUrl }, {});
    expect([answer.status, answer.body.code]).toEqual([403, 'accounts.system_admin_only']);
  });

  it('yield to an API key sent along', async () => {
    const { cookie } = await signIn('company_admin');
    const answer = await call('GET', '/api/v1/probe', { cookie, 'x-api-key': 'nonsense' });
    expect(answer.status).toBe(401);
  });

  it('cannot be planted by another site', async () => {
    const { email } = await signIn('viewer');
    const answer = await call('POST', '/api/v1/auth/sign-in', { 'sec-fetch-site': 'cross-site' }, { email, password });
    expect(answer.body.code).toBe('auth.cross_site_request');
  });
});

describe('addresses that keep presenting made-up keys', () => {
  it('are told to wait', async () => {
    const { crc32 } = await import('node:zlib');
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    const guess = (number: number): string => {
      const body = `teei_live_${String(number).padStart(12, '0')}${'0'.repeat(43)}`;
      let rest = crc32(body);
      let checksum = '';
      for (; checksum.length < 6; rest = Math.floor(rest / 62)) checksum = alphabet[rest % 62] + checksum;
      return body + checksum;
    };
    const statuses: number[] = [];
    for (let number = 0; number < 70; number += 1)
      statuses.push((await call('GET', '/api/v1/probe', { 'x-api-key': guess(number) })).status);
    expect(statuses.at(0)).toBe(401);
    const last = await call('GET', '/api/v1/probe', { 'x-api-key': guess(99) });
    expect([last.status, last.body.code, last.headers['retry-after']]).toEqual([429, 'auth.too_many_wrong_keys', '1']);
    expect(await hub.metrics.getSingleMetricAsString('api_keys_usage_total')).toContain('outcome="too_many_misses"');
  });
});
