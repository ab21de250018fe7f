import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestVerifier } from './verification/test-verifier.ts';
import { startKeyRoutes } from './test-key-routes.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

const pathOf = (keyId: string, action = ''): string => `/admin/api-keys/${keyId}${action}`;
const patch = (keyId: string, body: object, caller: Parameters<typeof hub.send>[0] = hub.admin) =>
  hub.send(caller, 'PATCH', pathOf(keyId), body);
const rotate = (keyId: string, body: object = {}, caller: Parameters<typeof hub.send>[0] = hub.admin) =>
  hub.send(caller, 'POST', pathOf(keyId, '/rotate'), body);
const retireOld = (keyId: string, body: object = {}) => hub.send(hub.admin, 'POST', pathOf(keyId, '/retire-old'), body);
const read = async (keyId: string) => (await hub.send(hub.admin, 'GET', pathOf(keyId))).body;
const inSeconds = (seconds: number): string => new Date(hub.clock.nowMs() + seconds * 1_000).toISOString();
const outcomeOf = ({ status, body }: Awaited<ReturnType<typeof patch>>) => [status, body.code];

describe('changing a key', () => {
  it('changes only what is given, and records who, why, before and after', async () => {
    const { keyId } = await hub.make();
    const expiresAt = inSeconds(3_600);
    const answer = await patch(keyId, { enabled: false, rateLimitPerMinute: 5, expiresAt, reason: 'on holiday' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      name: 'Key',
      enabled: false,
      status: 'disabled',
      rateLimitPerMinute: 5,
      expiresAt,
    });
    const [, changed] = await hub.events(keyId);
    expect(changed).toMatchObject({
      type: 'api_key.changed',
      severity: 'warning',
      actor: `person:${hub.admin.personId}`,
      changes: {
        enabled: { from: true, to: false },
        rateLimitPerMinute: { from: 60, to: 5 },
        expiresAt: { from: null, to: expiresAt },
      },
      metadata: { reason: 'on holiday' },
    });
    const back = await patch(keyId, { enabled: true, expiresAt: null, allowedIps: ['192.0.2.0/24'], name: ' New ' });
    expect(back.body).toMatchObject({ status: 'active', expiresAt: null, allowedIps: ['192.0.2.0/24'], name: 'New' });
  });

  it('leaves no trace when everything is as wanted', async () => {
    const { keyId } = await hub.make();
    const before = await hub.stored();
    expect((await patch(keyId, { name: 'Key', enabled: true, expiresAt: null, allowedIps: [] })).status).toBe(200);
    expect(await hub.stored()).toBe(before);
  });

  it('reaches the verifier with the commit', async () => {
    const { key, keyId } = await hub.make();
    const { verifier, feed } = startTestVerifier(hub.database.db, { clock: hub.clock });
    const check = async () => {
      feed.tell(keyId);
      const result = await verifier.verify(key, '192.0.2.1');
      return result.valid ? 'ok' : result.reason;
    };
    expect(await check()).toBe('ok');
    await patch(keyId, { enabled: false });
    expect(await check()).toBe('disabled');
    await patch(keyId, { enabled: true, allowedIps: ['198.51.100.0/24'] });
    expect(await check()).toBe('ip_not_allowed');
    await patch(keyId, { allowedIps: [] });
    expect(await check()).toBe('ok');
    await verifier.stop();
  });
});

describe('a revoked key', () => {
  it('can be neither changed, rotated nor retired', async () => {
    const { keyId } = await hub.make();
    await hub.send(hub.admin, 'DELETE', pathOf(keyId));
    const before = await hub.stored();
    const answers = [await patch(keyId, { enabled: true }), await rotate(keyId), await retireOld(keyId)];
    expect(answers.map(outcomeOf)).toEqual(Array.from({ length: 3 }, () => [409, 'api_keys.revoked']));
    expect(await hub.stored()).toBe(before);
  });
});

describe('bad input', () => {
  it.each([
    ['PATCH', '', {}, '/body'],
    ['PATCH', '', { reason: 'nothing else' }, '/body'],
    ['PATCH', '', { name: '' }, '/body/name'],
    ['PATCH', '', { name: null }, '/body/name'],
    ['PATCH', '', { name: 'x'.repeat(101) }, '/body/name'],
    ['PATCH', '', { enabled: 'yes' }, '/body/enabled'],
    ['PATCH', '', { rateLimitPerMinute: 0 }, '/body/rateLimitPerMinute'],
    ['PATCH', '', { rateLimitPerMinute: 1.5 }, '/body/rateLimitPerMinute'],
    ['PATCH', '', { rateLimitPerMinute: null }, '/body/rateLimitPerMinute'],
    ['PATCH', '', { expiresAt: '2020-01-01T00:00:00Z' }, '/body/expiresAt'],
    ['PATCH', '', { expiresAt: 'never' }, '/body/expiresAt'],
    ['PATCH', '', { allowedIps: ['192.0.2.0/24', 'home'] }, '/body/allowedIps/1'],
    ['PATCH', '', { allowedIps: null }, '/body/allowedIps'],
    ['PATCH', '', { name: 'Good', reason: 'nul\u0000' }, '/body/reason'],
    ['PATCH', '', { scopes: ['admin'] }, '/body/scopes'],
    ['PATCH', '', { environment: 'test' }, '/body/environment'],
    ['POST', '/rotate', { overlapSeconds: -1 }, '/body/overlapSeconds'],
    ['POST', '/rotate', { overlapSeconds: 604_801 }, '/body/overlapSeconds'],
    ['POST', '/rotate', { overlapSeconds: '60' }, '/body/overlapSeconds'],
    ['POST', '/rotate', { overlapFrom: 'later' }, '/body/overlapFrom'],
    ['POST', '/rotate', { force: 'true' }, '/body/force'],
    ['POST', '/rotate', { reason: 'x'.repeat(501) }, '/body/reason'],
    ['POST', '/rotate', { expiresAt: '2099-01-01T00:00:00Z' }, '/body/expiresAt'],
    ['POST', '/retire-old', { reason: 7 }, '/body/reason'],
    ['POST', '/retire-old', { force: true }, '/body/force'],
  ] as const)('of %s %s %j is named, and nothing is written', async (method, action, body, pointer) => {
    const { keyId } = await hub.make();
    const before = await hub.stored();
    const answer = await hub.send(hub.admin, method, pathOf(keyId, action), body);
    expect(outcomeOf(answer)).toEqual([400, 'request.invalid']);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect(await hub.stored()).toBe(before);
  });
});

describe('nobody opens up a key beyond what they hold', () => {
  const beyond = [403, 'api_keys.beyond_own_access'];

  it('but everybody may restrict', async () => {
    const { keyId } = await hub.make({ scopes: ['data:read', 'deliveries:read'], expiresAt: inSeconds(3_600) });
    const weak = hub.person(['admin', 'data:read']);
    const before = await hub.stored();
    for (const body of [{ expiresAt: inSeconds(7_200) }, { expiresAt: null }])
      expect(outcomeOf(await patch(keyId, body, weak))).toEqual(beyond);
    expect((await rotate(keyId, {}, weak)).body.detail).toContain('deliveries:read');
    expect(await hub.stored()).toBe(before);
    const narrower = { enabled: false, expiresAt: inSeconds(60), allowedIps: ['192.0.2.0/24'], rateLimitPerMinute: 1 };
    expect((await patch(keyId, narrower, weak)).status).toBe(200);
    for (const body of [{ enabled: true }, { allowedIps: [] }, { allowedIps: ['192.0.2.1', '192.0.3.1'] }])
      expect(outcomeOf(await patch(keyId, body, weak))).toEqual(beyond);
    expect((await patch(keyId, { allowedIps: ['192.0.2.1'] }, weak)).status).toBe(200);
    expect((await patch(keyId, { enabled: true }, hub.person())).status).toBe(200);
  });

  it('nor may a key that is bound itself', async () => {
    const allowedIps = ['192.0.2.0/24'];
    const bound = await hub.keyCaller({ allowedIps, expiresAt: inSeconds(3_600) });
    const wide = await hub.make();
    const outlasting = await hub.make({ allowedIps });
    const equal = await hub.make({ allowedIps: ['192.0.2.7'], expiresAt: inSeconds(3_600) });
    for (const { keyId } of [wide, outlasting]) expect(outcomeOf(await rotate(keyId, {}, bound))).toEqual(beyond);
    expect((await rotate(equal.keyId, {}, bound)).status).toBe(200);
    for (const body of [{ allowedIps: [] }, { allowedIps: ['192.0.2.0/23'] }, { expiresAt: inSeconds(3_601) }])
      for (const keyId of [equal.keyId, bound.keyId])
        expect(outcomeOf(await patch(keyId, body, bound))).toEqual(beyond);
    expect((await patch(equal.keyId, { allowedIps }, bound)).status).toBe(200);
    await patch(wide.keyId, { enabled: false });
    expect(outcomeOf(await patch(wide.keyId, { enabled: true }, bound))).toEqual(beyond);
  });

  it('and a test key changes test keys only', async () => {
    const tester = await hub.keyCaller({ environment: 'test' });
    const [live, test] = [await hub.make(), await hub.make({ environment: 'test' })];
    const before = await hub.stored();
    for (const [method, action, body] of [
      ['PATCH', '', { enabled: false }],
      ['POST', '/rotate', {}],
      ['POST', '/retire-old', {}],
      ['DELETE', '', undefined],
    ] as const)
      expect(outcomeOf(await hub.send(tester, method, pathOf(live.keyId, action), body))).toEqual([
        403,
        'api_keys.environment_not_allowed',
      ]);
    expect(await hub.stored()).toBe(before);
    expect((await rotate(test.keyId, {}, tester)).body.key).toMatch(/^teei_test_/);
  });
});

describe('rotating', () => {
  it('keeps the key id, shows the new key once, and stores no key', async () => {
    const made = await hub.make({ scopes: ['data:read', 'deliveries:read'] });
    const { body, status } = await rotate(made.keyId, { overlapSeconds: 60, reason: 'yearly' });
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: made.id, keyId: made.keyId, oldSecretExpiresAt: inSeconds(60) });
    expect(body.scopes).toEqual(['data:read', 'deliveries:read']);
    expect(body.key.slice(0, 22)).toBe(made.key.slice(0, 22));
    expect(body.key).not.toBe(made.key);
    const { secrets } = await read(made.keyId);
    expect(secrets).toMatchObject([
      { state: 'current', expiresAt: null },
      { state: 'old', expiresAt: inSeconds(60) },
    ]);
    for (const table of ['api_key', 'api_key_secret', 'audit_event', 'hub_change'])
      expect(JSON.stringify(await hub.database.owner.unsafe(`select * from ${table}`))).not.toContain(
        body.key.slice(22),
      );
    expect((await hub.events(made.keyId)).at(-1)).toMatchObject({
      type: 'api_key.rotated',
      changes: { generation: { from: 1, to: 2 } },
      metadata: { reason: 'yearly', overlapSeconds: 60, overlapFrom: 'now', oldSecretExpiresAt: inSeconds(60) },
    });
  });

  it('never lets the old secret live longer than it would have, even if the key is extended later', async () => {
    const endsAt = inSeconds(100);
    const { keyId } = await hub.make({ expiresAt: endsAt });
    expect((await rotate(keyId)).body).toMatchObject({ oldSecretExpiresAt: endsAt, expiresAt: endsAt });
    await patch(keyId, { expiresAt: null });
    expect((await read(keyId)).secrets.map((secret: { expiresAt: string }) => secret.expiresAt)).toEqual([
      null,
      endsAt,
    ]);
  });

  it('refuses while two secrets are valid, unless forced, which ends the oldest', async () => {
    const { keyId } = await hub.make();
    await rotate(keyId);
    const before = await hub.stored();
    expect(outcomeOf(await rotate(keyId))).toEqual([409, 'api_keys.rotation_overlaps']);
    expect(await hub.stored()).toBe(before);
    expect((await rotate(keyId, { force: true })).status).toBe(200);
    const states = (await read(keyId)).secrets.map((secret: { state: string }) => secret.state);
    expect(states).toEqual(['current', 'old', 'ended']);
    hub.clock.advanceMs(86_400_000);
    expect((await rotate(keyId, { overlapSeconds: 0 })).status).toBe(200);
    expect((await rotate(keyId)).status).toBe(200);
  });

  it('lets exactly one of ten rotations at once through', async () => {
    const { keyId } = await hub.make();
    const answers = await Promise.all(Array.from({ length: 10 }, () => rotate(keyId)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
    expect((await read(keyId)).secrets).toHaveLength(2);
  });

  it('and revoking at once leave a revoked key, whichever came first', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { keyId } = await hub.make();
      const [rotated, revoked] = await Promise.all([rotate(keyId), hub.send(hub.admin, 'DELETE', pathOf(keyId))]);
      expect([200, 409]).toContain(rotated.status);
      expect(revoked.status).toBe(200);
      expect((await read(keyId)).status).toBe('revoked');
      const { verifier } = startTestVerifier(hub.database.db, { clock: hub.clock });
      if (rotated.status === 200)
        expect(await verifier.verify(rotated.body.key, '192.0.2.1')).toMatchObject({ reason: 'revoked' });
      await verifier.stop();
    }
  });

  it('is refused for an expired key', async () => {
    const { keyId } = await hub.make({ expiresAt: inSeconds(10) });
    hub.clock.advanceMs(11_000);
    expect(outcomeOf(await rotate(keyId))).toEqual([409, 'api_keys.expired']);
  });

  it('forgets secrets that ended more than 90 days ago', async () => {
    const { keyId } = await hub.make();
    await rotate(keyId, { overlapSeconds: 0 });
    hub.clock.advanceMs(91 * 86_400_000);
    await rotate(keyId);
    expect((await read(keyId)).secrets.map((secret: { state: string }) => secret.state)).toEqual(['current', 'old']);
  });
});

describe('retiring old secrets', () => {
  it('ends them at once, warns when they were in use, and can be repeated', async () => {
    const { keyId, id } = await hub.make();
    await rotate(keyId);
    const usedAt = inSeconds(-3_599);
    await hub.database.owner`
      update api_key_secret set call_count = 7, last_used_at = ${usedAt} where api_key_id = ${id} and generation = 1`;
    expect((await read(keyId)).secrets[1]).toMatchObject({ calls: 7, lastUsedAt: usedAt, state: 'old' });
    const first = await retireOld(keyId, { reason: 'done' });
    expect(first.body).toMatchObject({ keyId, endedSecrets: 1, oldSecretLastUsedAt: usedAt });
    expect(first.body.warning).toContain('within the last hour');
    const before = await hub.stored();
    expect((await retireOld(keyId)).body).toEqual({
      keyId,
      endedSecrets: 0,
      oldSecretLastUsedAt: null,
      warning: null,
    });
    expect(await hub.stored()).toBe(before);
    expect((await read(keyId)).secrets[1]).toMatchObject({ state: 'ended' });
    expect((await hub.events(keyId)).at(-1)).toMatchObject({
      type: 'api_key.old_secrets_retired',
      metadata: { reason: 'done', endedCount: 1 },
    });
  });

  it('does not warn when they were idle, and leaves a new secret without a first use in charge', async () => {
    const { keyId } = await hub.make();
    expect((await rotate(keyId, { overlapFrom: 'first_use' })).body.oldSecretExpiresAt).toBeNull();
    expect((await read(keyId)).secrets.map((secret: { state: string }) => secret.state)).toEqual(['waiting', 'old']);
    expect((await retireOld(keyId)).body).toMatchObject({ endedSecrets: 1, warning: null });
    expect((await read(keyId)).secrets.map((secret: { state: string }) => secret.state)).toEqual(['current', 'ended']);
  });
});
