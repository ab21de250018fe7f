import type { ApiKeyPrincipal } from '@impact-hub/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeApiKey } from './revoke-api-key.ts';
import { hubItself } from './test-company.ts';
import { startKeyRoutes } from './test-key-routes.ts';
import { startTestVerifier } from './verification/test-verifier.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

const scopes = ['admin', 'data:read'];
const pathOf = (keyId: string, action = ''): string => `/admin/api-keys/${keyId}${action}`;
const inSeconds = (seconds: number): string => new Date(hub.clock.nowMs() + seconds * 1_000).toISOString();
const codesOf = (answers: { status: number; body: { code?: string } }[]) =>
  answers.map(({ status, body }) => [status, body.code]);
const rotate = (keyId: string, body: object, caller: Parameters<typeof hub.send>[0] = hub.admin) =>
  hub.send(caller, 'POST', pathOf(keyId, '/rotate'), body);

/** The caller as whom the real verifier lets a key in. */
const admitted = async (key: string): Promise<ApiKeyPrincipal> => {
  const { verifier } = startTestVerifier(hub.database.db, { clock: hub.clock });
  const result = await verifier.verify(key, '192.0.2.1');
  // A first use is written by then.
  await verifier.stop();
  if (!result.valid) throw new Error(`refused: ${result.reason}`);
  return result.principal;
};

/** Every way to change keys, tried on the caller's own and on another one. */
const tryEverything = async (caller: ApiKeyPrincipal, otherKeyId: string) => {
  const answers = [
    await hub.send(caller, 'POST', '/admin/api-keys', { name: 'k', environment: 'live', scopes: ['data:read'] }),
  ];
  for (const keyId of [caller.keyId, otherKeyId])
    for (const [method, action, body] of [
      ['PATCH', '', { enabled: true }],
      ['PATCH', '', { name: 'Renamed' }],
      ['PATCH', '', { expiresAt: null }],
      ['POST', '/rotate', { force: true, overlapSeconds: 0 }],
      ['POST', '/retire-old', {}],
      ['POST', '/dismiss-anomaly', undefined],
      ['DELETE', '', undefined],
    ] as const)
      answers.push(await hub.send(caller, method, pathOf(keyId, action), body));
  return answers;
};

describe('a key that ended after its request was let in', () => {
  it.each([
    ['revoked', (keyId: string) => hub.send(hub.admin, 'DELETE', pathOf(keyId))],
    ['disabled', (keyId: string) => hub.send(hub.admin, 'PATCH', pathOf(keyId), { enabled: false })],
    ['expired', async () => hub.clock.advanceMs(100_000)],
    ['rotated, its secret ended', (keyId: string) => rotate(keyId, { overlapSeconds: 0 })],
  ])('changes nothing: %s', async (_how, end) => {
    const own = await hub.make({ scopes, expiresAt: inSeconds(100) });
    const other = await hub.make();
    const caller = await admitted(own.key);
    await end(own.keyId);
    const before = await hub.stored();
    const answers = await tryEverything(caller, other.keyId);
    expect(codesOf(answers)).toEqual(answers.map(() => [401, 'auth.unauthenticated']));
    expect(answers[0]?.headers['www-authenticate']).toBe('Bearer realm="impact-hub"');
    expect(answers[0]?.body.detail).toBeUndefined();
    expect(await hub.stored()).toBe(before);
  });

  it('makes no key when the revocation comes first, however close', async () => {
    const { key, keyId } = await hub.make({ scopes });
    const caller = await admitted(key);
    const waiting = async (): Promise<boolean> => {
      const rows = await hub.database.owner`
        select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return rows.length > 0;
    };
    const making = await hub.database.db.company(hub.companyId, async (tx) => {
      await revokeApiKey(tx, hub, hubItself, { keyId });
      const made = hub.send(caller, 'POST', '/admin/api-keys', {
        name: 'k',
        environment: 'live',
        scopes: ['data:read'],
      });
      await expect.poll(waiting).toBe(true);
      return { made };
    });
    expect(codesOf([await making.made])).toEqual([[401, 'auth.unauthenticated']]);
  });
});

it('keys that change themselves and each other at once do not block each other', async () => {
  const [a, b] = [await hub.keyCaller(), await hub.keyCaller()];
  const rename = (caller: typeof a, keyId: string, name: string) => hub.send(caller, 'PATCH', pathOf(keyId), { name });
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, round) => [
      rename(a, b.keyId, `b${round}`),
      rename(b, a.keyId, `a${round}`),
      rename(a, a.keyId, `own${round}`),
      hub.send(a, 'POST', '/admin/api-keys', { name: 'k', environment: 'live', scopes: ['data:read'] }),
    ]).flat(),
  );
  expect(answers.map(({ status }) => status)).toEqual(answers.map((_, index) => (index % 4 === 3 ? 201 : 200)));
});

describe('the old secret of a rotation', () => {
  const replaced = [403, 'api_keys.beyond_own_access'];

  it('changes no keys, so nobody who kept it can stay or throw the owner out', async () => {
    const own = await hub.make({ scopes });
    const other = await hub.make();
    const next = (await rotate(own.keyId, { overlapSeconds: 60 })).body.key;
    const old = await admitted(own.key);
    expect(old.secretId).not.toBe((await admitted(next)).secretId);
    const before = await hub.stored();
    const answers = await tryEverything(old, other.keyId);
    expect(codesOf(answers)).toEqual(answers.map(() => replaced));
    expect(answers[0]?.body.detail).toContain('current secret');
    expect(await hub.stored()).toBe(before);
    expect((await hub.send(old, 'GET', pathOf(other.keyId))).status).toBe(200);
    const current = await admitted(next);
    expect((await hub.send(current, 'PATCH', pathOf(other.keyId), { name: 'Renamed' })).status).toBe(200);
    expect((await rotate(own.keyId, { force: true }, current)).status).toBe(200);
  });

  it('counts as current until the new one is used, when the rotation waits for that', async () => {
    const own = await hub.make({ scopes });
    const next = (await rotate(own.keyId, { overlapSeconds: 60, overlapFrom: 'first_use' })).body.key;
    const old = await admitted(own.key);
    expect((await hub.send(old, 'PATCH', pathOf(own.keyId), { name: 'Still' })).status).toBe(200);
    const current = await admitted(next);
    expect(codesOf([await hub.send(old, 'PATCH', pathOf(own.keyId), { name: 'No more' })])).toEqual([replaced]);
    expect((await hub.send(current, 'PATCH', pathOf(own.keyId), { name: 'New' })).status).toBe(200);
  });
});

describe('the rate limit of a key', () => {
  const make = (caller: Parameters<typeof hub.send>[0], rateLimitPerMinute?: number) =>
    hub.send(caller, 'POST', '/admin/api-keys', {
      name: 'k',
      environment: 'live',
      scopes: ['data:read'],
      ...(rateLimitPerMinute === undefined ? {} : { rateLimitPerMinute }),
    });

  it('bounds that of the keys it makes', async () => {
    const slow = await admitted((await hub.make({ scopes, rateLimitPerMinute: 10 })).key);
    const refused = await make(slow, 11);
    expect([refused.status, refused.body.errors[0].pointer]).toEqual([400, '/body/rateLimitPerMinute']);
    expect((await make(slow, 10)).body.rateLimitPerMinute).toBe(10);
    expect((await make(slow)).body.rateLimitPerMinute).toBe(10);
    const fast = await admitted((await hub.make({ scopes, rateLimitPerMinute: 100 })).key);
    expect((await make(fast)).body.rateLimitPerMinute).toBe(60);
    expect((await make(fast, 100)).body.rateLimitPerMinute).toBe(100);
    expect((await make(hub.admin)).body.rateLimitPerMinute).toBe(60);
    expect((await make(hub.admin, 10_000_000)).body.rateLimitPerMinute).toBe(10_000_000);
  });

  it('is raised by a key no higher than its own, its own never', async () => {
    const caller = await hub.keyCaller({ rateLimitPerMinute: 100 });
    const { keyId } = await hub.make({ rateLimitPerMinute: 50 });
    const set = (id: string, rateLimitPerMinute: number, by: Parameters<typeof hub.send>[0] = caller) =>
      hub.send(by, 'PATCH', pathOf(id), { rateLimitPerMinute });
    const before = await hub.stored();
    const beyond = [403, 'api_keys.beyond_own_access'];
    expect(codesOf([await set(caller.keyId, 101), await set(keyId, 101)])).toEqual([beyond, beyond]);
    expect(await hub.stored()).toBe(before);
    expect((await set(keyId, 100)).status).toBe(200);
    expect((await set(keyId, 10_000_000, hub.admin)).status).toBe(200);
    expect(codesOf([await rotate(keyId, {}, caller)])).toEqual([beyond]);
    expect((await set(keyId, 1_000)).status).toBe(200);
    expect((await set(caller.keyId, 20)).status).toBe(200);
    expect(codesOf([await set(caller.keyId, 100)])).toEqual([beyond]);
  });
});
