import { setTimeout as pause } from 'node:timers/promises';
import { newId } from '@impact-hub/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestHub, type Method, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
let operator: string;
let companyId: string;
let cookieOf: Record<'system_admin' | 'company_admin' | 'viewer', string>;
beforeAll(async () => {
  hub = await createTestHub();
  companyId = await hub.company();
  operator = (await hub.key(companyId)).key;
  const signedIn = async (role: 'system_admin' | 'company_admin' | 'viewer') =>
    (await hub.signIn((await hub.person(companyId, role)).email)).cookie;
  cookieOf = {
    system_admin: await signedIn('system_admin'),
    company_admin: await signedIn('company_admin'),
    viewer: await signedIn('viewer'),
  };
});
afterAll(() => hub.close());

const views = ['dashboard', 'circuit-breakers', 'cache', 'audit', 'replay-protection'].map(
  (name) => ['GET', `/api/health/${name}`] as const,
);
const changes = [
  'dashboard/reset',
  'circuit-breakers/reset',
  'cache/reset',
  'cache/clear',
  'audit/reset',
  'replay-protection/reset',
  'replay-protection/clear',
].map((name) => ['POST', `/api/health/${name}`] as const);

const send = (method: Method, path: string, headers: Record<string, string>, body?: object) =>
  hub.call(method, path, {
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const asOperator = (method: Method, path: string, body?: object) => send(method, path, { 'x-api-key': operator }, body);

describe.each([...views, ...changes])('%s %s', (method, path) => {
  const origin = 'http://hub.test';

  test('answers a key that holds the scopes and the system’s administrator', async () => {
    expect((await asOperator(method, path)).statusCode).toBe(200);
    expect((await send(method, path, { cookie: cookieOf.system_admin, origin })).statusCode).toBe(200);
  });

  test('refuses the administrator of a company, other people and keys without the scopes', async () => {
    const lesser = await hub.key(companyId, ['admin', 'data:read']);
    const callers = [
      { cookie: cookieOf.company_admin, origin },
      { cookie: cookieOf.viewer, origin },
      { 'x-api-key': lesser.key },
    ];
    for (const caller of callers) expect((await send(method, path, caller)).statusCode).toBe(403);
    expect((await send(method, path, {})).statusCode).toBe(401);
  });
});

test('the administrator of a company cannot mint a key that sees the installation', async () => {
  const body = { name: 'Mine', environment: 'live', scopes: ['operations:read'] };
  const answer = await send(
    'POST',
    '/admin/api-keys',
    { cookie: cookieOf.company_admin, origin: 'http://hub.test' },
    body,
  );
  expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([403, 'api_keys.scope_not_held']);
});

test.each(changes)('%s %s is in the audit log', async (method, path) => {
  const count = async () =>
    (
      await hub.database.owner<{ n: number }[]>`
      select count(*)::int as n from audit_event where type like 'operations.%' and company_id = ${companyId}`
    )[0]?.n ?? 0;
  const before = await count();
  await asOperator(method, path);
  expect(await count()).toBe(before + 1);
});

describe('the response cache', () => {
  const isKept = async () => (await hub.call('GET', '/api/v1/problems')).headers['x-cache'] === 'memory';

  test.each([[{}], [{ pattern: 'listProb*' }], [{ key: 'listProblems /api/v1/problems' }]])(
    'cleared by %j is filled anew',
    async (body) => {
      await hub.call('GET', '/api/v1/problems');
      await expect.poll(isKept).toBe(true);
      expect((await asOperator('POST', '/api/health/cache/clear', body)).statusCode).toBe(200);
      expect(await isKept()).toBe(false);
    },
  );

  test('cleared by something else is as it was, and more than one way at once is refused', async () => {
    // The feed's poll, each second, repeats what was cleared before.
    await pause(2_000);
    await expect.poll(isKept).toBe(true);
    await asOperator('POST', '/api/health/cache/clear', { tag: 'api_key' });
    expect(await isKept()).toBe(true);
    expect((await asOperator('POST', '/api/health/cache/clear', { tag: 'a', key: 'b' })).statusCode).toBe(400);
  });

  test('shows its figures by operation, until they are reset', async () => {
    await hub.call('GET', '/api/v1/problems');
    const figures = async () =>
      (await asOperator('GET', '/api/health/cache')).json<{ entries: number; operations: { operationId: string }[] }>();
    expect((await figures()).operations.map(({ operationId }) => operationId)).toContain('listProblems');
    await asOperator('POST', '/api/health/cache/reset');
    const after = await figures();
    expect([after.operations, after.entries > 0]).toEqual([[], true]);
  });
});

describe('replay protection', () => {
  test('loses by clearing nothing that still protects: a repeated request has no second effect', async () => {
    const name = `once-${newId()}`;
    const create = () =>
      send(
        'POST',
        '/api/v1/impact-in/endpoints',
        { 'x-api-key': operator, 'idempotency-key': name },
        {
          partner: 'benevity',
          name,
        },
      );
    const first = await create();
    expect(first.statusCode, first.body).toBe(201);
    await hub.database.owner`
      insert into idempotency_record (company_id, caller, key_hash, fingerprint, status, sealed, answered_at, expires_at)
      select company_id, 'key:gone', key_hash, fingerprint, status, sealed, now() - interval '2 days', now() - interval '1 day'
      from idempotency_record limit 1`;
    const cleared = await asOperator('POST', '/api/health/replay-protection/clear');
    expect(cleared.json()).toEqual({ removedExpired: 1 });
    expect((await create()).json<{ id: string }>().id).toBe(first.json<{ id: string }>().id);
    const view = (await asOperator('GET', '/api/health/replay-protection')).json<{
      idempotency: { estimatedRecords: number; nextExpiresAt: string };
      requests: { idempotency: Record<string, number> };
    }>();
    expect(Date.parse(view.idempotency.nextExpiresAt)).toBeGreaterThan(Date.now());
    expect(view.requests.idempotency).toMatchObject({ replayed: 1 });
  });

  test('counts anew after a reset', async () => {
    await asOperator('POST', '/api/health/replay-protection/reset');
    const counted = async () =>
      (await asOperator('GET', '/api/health/replay-protection')).json<{
        requests: { idempotency: Record<string, number> };
      }>().requests.idempotency['replayed'];
    await expect.poll(counted).toBe(0);
  });
});

describe('circuit breakers', () => {
  test('are shown, summed up on the dashboard, and closed by a reset', async () => {
    const breaker = hub.hub.breakers.get('operations-test', { failureThreshold: 1 });
    await breaker.run(() => Promise.reject(new Error('down'))).catch(() => undefined);
    const stateOf = async () =>
      (await asOperator('GET', '/api/health/circuit-breakers'))
        .json<{ data: { name: string; state: string }[] }>()
        .data.find(({ name }) => name === 'operations-test')?.state;
    expect(await stateOf()).toBe('open');
    const answer = await asOperator('GET', '/api/health/dashboard');
    expect(answer.statusCode, answer.body).toBe(200);
    const dashboard = answer.json<{
      status: string;
      breakers: { open: string[] };
      jobs: unknown[];
    }>();
    expect(dashboard.breakers.open).toEqual(['operations-test']);
    const reset = await asOperator('POST', '/api/health/circuit-breakers/reset', { name: 'operations-test' });
    expect(reset.json()).toEqual({ name: 'operations-test', known: true });
    expect(await stateOf()).toBe('closed');
    const unknown = await asOperator('POST', '/api/health/circuit-breakers/reset', { name: 'nobody' });
    expect(unknown.json()).toEqual({ name: 'nobody', known: false });
  });
});

test('the figures of the audit log cover the installation, and count anew after a reset', async () => {
  type View = { partitions: number; bytes: number; writtenSinceReset: number; since: string | null };
  const sql = hub.database.owner;
  const written = async () => {
    const [row] = await sql<{ n: number }[]>`
      select sum(pg_stat_get_tuples_inserted(inhrelid))::int as n from pg_inherits
      where inhparent = 'audit_event'::regclass`;
    return row?.n ?? 0;
  };
  let resetAt: string | undefined;
  const writtenAtReset = async () => {
    ({ resetAt } = (await asOperator('POST', '/api/health/audit/reset')).json<{ resetAt: string }>());
    const [row] = await sql<{ key: string }[]>`
      select key from hub_change where topic = 'operations.reset' order by seq desc limit 1`;
    return Number(row?.key.split(':')[3]);
  };
  let base = 0;
  // PostgreSQL counts what a connection wrote a second late.
  await expect.poll(async () => (base = await writtenAtReset()), { timeout: 15_000 }).toBeGreaterThan(0);
  const atLeast = await written();
  const view = (await asOperator('GET', '/api/health/audit')).json<View>();
  const atMost = await written();
  expect(view.since).toBe(resetAt);
  expect([view.partitions > 0, view.bytes > 0]).toEqual([true, true]);
  expect(view.writtenSinceReset).toBeGreaterThanOrEqual(atLeast - base);
  expect(view.writtenSinceReset).toBeLessThanOrEqual(atMost - base);
});
