import {
  bindModule,
  buildHttpServer,
  createHttpMetrics,
  createLogger,
  createMetrics,
  createOutbox,
  newId,
  systemClock,
  type CompanyPrincipal,
} from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyPattern, apiKeysModule, createKeyWatchMetrics, createLeakReports } from './index.ts';
import { insertCompany, testCatalogue } from './test-company.ts';

let database: TestDatabase;
let server: ReturnType<typeof buildHttpServer>;
let caller: CompanyPrincipal;

/** Callers have one secret each, known by their name. */
const secretIdOf = (keyId: string, companyId: string): string =>
  `${Buffer.from(keyId).toString('hex').slice(0, 8)}-${companyId.slice(9)}`;

const callerOf = (
  companyId: string,
  scopes = Object.keys(testCatalogue),
  environment: 'live' | 'test' = 'live',
  keyId = 'callercaller',
) =>
  ({
    kind: 'api_key',
    keyId,
    secretId: secretIdOf(keyId, companyId),
    companyId,
    environment,
    scopes: new Set(scopes),
    rateLimitPerMinute: 60,
  }) as const;

const insertCaller = (keyId: string, companyId: string, allowedIps: string[] = [], expiresAt: Date | null = null) =>
  database.owner`
    with caller as (insert into api_key (id, company_id, key_id, name, environment, scopes, allowed_ips, expires_at, created_by,
                         created_at, updated_at)
    values (gen_random_uuid(), ${companyId}, ${keyId}, 'Caller', 'live', '{}', ${allowedIps}::text[], ${expiresAt},
            'system:test', now() - interval '1 day', now()) returning id)
    insert into api_key_secret (id, api_key_id, company_id, key_sha256, created_at)
    select ${secretIdOf(keyId, companyId)}, id, ${companyId}, sha256(${Buffer.from(keyId + companyId)}), now() from caller`;

beforeAll(async () => {
  database = await createTestDatabase();
  const keyWatchMetrics = createKeyWatchMetrics(createMetrics());
  const leakReports = createLeakReports({ policy: 'revoke', metrics: createMetrics() });
  const { db } = database;
  const routeTable = apiKeysModule.routes;
  const deps = {
    db,
    clock: systemClock,
    scopeCatalogue: testCatalogue,
    routeTable,
    leakReports,
    outbox: createOutbox({}),
    keyWatchMetrics,
  };
  server = buildHttpServer({
    modules: [bindModule(apiKeysModule, deps)],
    authorize: () => caller,
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(createMetrics()),
  });
  caller = callerOf(await insertCompany(database.owner));
  await insertCaller(caller.keyId, caller.companyId);
});
afterAll(async () => {
  await server.close();
  await database.drop();
});

const call = async (method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) => {
  const response = await server.inject({ method, url, ...(payload === undefined ? {} : { payload }) });
  return { status: response.statusCode, body: response.json() };
};
const create = (overrides: object = {}) =>
  call('POST', '/admin/api-keys', { name: 'Key', environment: 'live', scopes: ['data:read'], ...overrides });
const pointers = (body: { errors: { pointer: string }[] }) => body.errors.map(({ pointer }) => pointer);

describe('making a key', () => {
  it('shows the key this once and stores only its SHA-256', async () => {
    const { status, body } = await create({
      scopes: ['deliveries:read', 'data:read', 'data:read'],
      allowedIps: ['192.0.2.0/24', '2001:db8::1'],
      expiresAt: '2099-01-01T00:00:00+02:00',
      metadata: { team: 'reporting', cost: 4, urgent: true },
    });
    expect(status).toBe(201);
    expect(apiKeyPattern.exec(body.key)?.[2]).toBe(body.keyId);
    expect(body).toMatchObject({
      scopes: ['data:read', 'deliveries:read'],
      rateLimitPerMinute: 60,
      expiresAt: '2098-12-31T22:00:00.000Z',
      allowedIps: ['192.0.2.0/24', '2001:db8::1'],
      metadata: { team: 'reporting', cost: 4, urgent: true },
      status: 'active',
      usage: { calls: 0, lastUsedAt: null, lastUsedIp: null },
    });
    const { key: _, ...withoutKey } = body;
    expect((await call('GET', `/admin/api-keys/${body.keyId}`)).body).toMatchObject(withoutKey);
    const secret = apiKeyPattern.exec(body.key)?.[3];
    for (const table of ['api_key', 'api_key_secret', 'api_key_usage', 'hub_change'])
      expect(JSON.stringify(await database.owner.unsafe(`select * from ${table}`))).not.toContain(secret);
  });

  it.each([
    ['/body/name', { name: ' ' }],
    ['/body/name', { name: 'nul\u0000' }],
    ['/body/environment', { environment: 'prod' }],
    ['/body/scopes', { scopes: [] }],
    ['/body/scopes', { scopes: ['nothing:here'] }],
    ['/body/scopes/0', { scopes: ['__proto__\u0000'] }],
    ['/body/rateLimitPerMinute', { rateLimitPerMinute: 0 }],
    ['/body/expiresAt', { expiresAt: '2020-01-01T00:00:00Z' }],
    ['/body/expiresAt', { expiresAt: 'tomorrow' }],
    ['/body/expiresAt', { expiresAt: '9999-12-31T23:59:59-14:00' }],
    ['/body/expiresAt', { expiresAt: '2200-01-01T00:00:00Z' }],
    ['/body/allowedIps/1', { allowedIps: ['192.0.2.1', '192.0.2.0/64'] }],
    [
      '/body/metadata',
      { metadata: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, 'x'.repeat(200)])) },
    ],
    ['/body/metadata/note', { metadata: { note: 'half \ud800' } }],
    ['/body/companyId', { companyId: '0192f000-0000-7000-8000-000000000000' }],
  ])('refuses %s of %j and stores nothing', async (pointer, overrides) => {
    const before = await database.owner`select 1 from api_key`;
    const { status, body } = await create(overrides);
    expect([status, body.code]).toEqual([400, 'request.invalid']);
    expect(pointers(body)).toContain(pointer);
    expect(await database.owner`select 1 from api_key`).toHaveLength(before.length);
  });

  it('gives nobody a scope they do not hold, and nothing live to a test key', async () => {
    const own = caller;
    caller = callerOf(own.companyId, ['admin', 'data:read']);
    const greedy = await create({ scopes: ['data:read', 'deliveries:read'] });
    expect([greedy.status, greedy.body.code]).toEqual([403, 'api_keys.scope_not_held']);
    expect(greedy.body.detail).toContain('deliveries:read');
    caller = callerOf(own.companyId, ['admin', 'data:read'], 'test');
    expect((await create()).body.code).toBe('api_keys.environment_not_allowed');
    expect((await create({ environment: 'test' })).status).toBe(201);
    caller = own;
    const live = await create();
    caller = callerOf(own.companyId, ['admin'], 'test');
    expect((await call('DELETE', `/admin/api-keys/${live.body.keyId}`)).status).toBe(403);
    caller = own;
  });
});

describe('a key made by a key', () => {
  it('ends no later and is usable from no more addresses than its maker', async () => {
    const own = caller;
    caller = callerOf(own.companyId, undefined, 'live', 'boundedmaker');
    const endsAt = new Date('2098-01-01T00:00:00Z');
    await insertCaller(caller.keyId, own.companyId, ['192.0.2.0/24', '2001:db8::/32'], endsAt);
    const allowedIps = ['192.0.2.128/25', '2001:db8::1'];
    const made = [
      await create({ allowedIps }),
      await create({ allowedIps, expiresAt: '2099-01-01T00:00:00Z' }),
      await create({ allowedIps, expiresAt: '2097-01-01T00:00:00Z' }),
    ];
    expect(made.map(({ body }) => body.expiresAt)).toEqual([
      '2098-01-01T00:00:00.000Z',
      '2098-01-01T00:00:00.000Z',
      '2097-01-01T00:00:00.000Z',
    ]);
    for (const [pointer, wider] of [
      ['/body/allowedIps', []],
      ['/body/allowedIps/0', ['192.0.0.0/16']],
      ['/body/allowedIps/1', ['192.0.2.1', '198.51.100.1']],
      ['/body/allowedIps/0', ['::/0']],
    ] as const) {
      const { status, body } = await create({ allowedIps: wider });
      expect([status, pointers(body)]).toEqual([400, [pointer]]);
    }
    caller = own;
  });
});

describe('the list', () => {
  it('gives every key of the company once, newest first, and filters by state', async () => {
    const own = caller;
    // A person, so that the company has no keys but those made here.
    const { companyId, scopes } = callerOf(await insertCompany(database.owner));
    const [personId, sessionId] = [newId(), newId()];
    caller = { kind: 'person', personId, sessionId, companyId, scopes, email: 'a@example.org', role: 'company_admin' };
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) made.unshift((await create({ name: `Key ${index}` })).body.keyId);
    await call('DELETE', `/admin/api-keys/${made[0]}`);
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await call('GET', `/admin/api-keys?limit=2${cursor}`);
      seen.push(...body.data.map((key: { keyId: string }) => key.keyId));
      cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
    } while (cursor !== '');
    expect(seen).toEqual(made);
    const revoked = await call('GET', '/admin/api-keys?status=revoked');
    expect(revoked.body.data.map((key: { keyId: string }) => key.keyId)).toEqual([made[0]]);
    expect((await call('GET', '/admin/api-keys?status=active&environment=live')).body.data).toHaveLength(4);
    expect((await call('GET', '/admin/api-keys?environment=test')).body.data).toHaveLength(0);
    expect(pointers((await call('GET', '/admin/api-keys?limit=1000')).body)).toEqual(['/query/limit']);
    caller = own;
  });
});

describe('keys of another company', () => {
  it('are answered exactly like absent ones', async () => {
    const { keyId } = (await create()).body;
    const own = caller;
    caller = callerOf(await insertCompany(database.owner), undefined, 'live', 'foreigncalle');
    await insertCaller(caller.keyId, caller.companyId);
    for (const [method, suffix] of [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/effective-access'],
    ] as const) {
      const foreign = await call(method, `/admin/api-keys/${keyId}${suffix}`);
      const absent = await call(method, `/admin/api-keys/absentabsent${suffix}`);
      const neutral = (body: object) => ({ ...body, requestId: '', instance: '' });
      expect([foreign.status, foreign.body.code]).toEqual([404, 'api_keys.not_found']);
      expect(neutral(foreign.body)).toEqual(neutral(absent.body));
    }
    caller = own;
    expect((await call('GET', `/admin/api-keys/${keyId}`)).body.status).toBe('active');
  });
});

describe('revoking', () => {
  it('is final, keeps the first reason and can be repeated', async () => {
    const { keyId } = (await create()).body;
    const first = await call('DELETE', `/admin/api-keys/${keyId}`, { reason: 'leaked' });
    expect(first.body).toMatchObject({ status: 'revoked', revokeReason: 'leaked', revokedBy: 'api_key:callercaller' });
    const second = await call('DELETE', `/admin/api-keys/${keyId}`, { reason: 'again' });
    expect(second.body).toEqual(first.body);
  });
});

describe('the audit log', () => {
  it('has every key made and revoked', async () => {
    const { keyId } = (await create()).body;
    await call('DELETE', `/admin/api-keys/${keyId}`);
    const events = await database.owner`
      select type, actor_kind, actor_id, company_id::text from audit_event where resource_id = ${keyId} order by id`;
    const shared = { actor_kind: 'api_key', actor_id: 'callercaller', company_id: caller.companyId };
    expect([...events]).toEqual([
      { type: 'api_key.created', ...shared },
      { type: 'api_key.revoked', ...shared },
    ]);
  });

  it('decides: what cannot be recorded does not happen', async () => {
    const { keyId } = (await create()).body;
    const before = await database.owner`select 1 from api_key`;
    await database.owner`revoke insert on audit_event from hub_runtime`;
    const answers = [await create(), await call('DELETE', `/admin/api-keys/${keyId}`)];
    await database.owner`grant insert on audit_event to hub_runtime`;
    expect(answers.map(({ status }) => status)).toEqual([500, 500]);
    expect(await database.owner`select 1 from api_key`).toHaveLength(before.length);
    expect((await call('GET', `/admin/api-keys/${keyId}`)).body.status).toBe('active');
  });
});

describe('effective access', () => {
  it('lists the endpoints whose scopes the key holds, and none once it is revoked', async () => {
    const { keyId } = (await create({ scopes: ['admin'] })).body;
    const { body } = await call('GET', `/admin/api-keys/${keyId}/effective-access`);
    expect(body.endpoints).toHaveLength(apiKeysModule.routes.filter((route) => route.access !== 'public').length);
    expect(body.endpoints[0]).toEqual({
      method: 'POST',
      path: '/admin/api-keys',
      operationId: 'createApiKey',
      summary: 'Make an API key',
      scopes: ['admin'],
    });
    const weak = (await create({ scopes: ['data:read'] })).body;
    expect((await call('GET', `/admin/api-keys/${weak.keyId}/effective-access`)).body.endpoints).toEqual([]);
    await call('DELETE', `/admin/api-keys/${keyId}`);
    expect((await call('GET', `/admin/api-keys/${keyId}/effective-access`)).body).toMatchObject({
      status: 'revoked',
      endpoints: [],
    });
  });
});
