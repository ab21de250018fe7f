import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestVerifier } from './verification/test-verifier.ts';
import { outcomeOf, startKeyRoutes } from './test-key-routes.ts';

let hub: Awaited<ReturnType<typeof startKeyRoutes>>;
beforeAll(async () => {
  hub = await startKeyRoutes();
});
afterAll(() => hub.close());

describe('changing a key', () => {
  it('changes only what is given, and records who, why, before and after', async () => {
    const { keyId } = await hub.make();
    const expiresAt = hub.inSeconds(3_600);
    const answer = await hub.patch(keyId, { enabled: false, rateLimitPerMinute: 5, expiresAt, reason: 'on holiday' });
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
    const back = await hub.patch(keyId, {
      enabled: true,
      expiresAt: null,
      allowedIps: ['192.0.2.0/24'],
      name: ' New ',
    });
    expect(back.body).toMatchObject({ status: 'active', expiresAt: null, allowedIps: ['192.0.2.0/24'], name: 'New' });
  });

  it('leaves no trace when everything is as wanted', async () => {
    const { keyId } = await hub.make();
    const before = await hub.stored();
    expect((await hub.patch(keyId, { name: 'Key', enabled: true, expiresAt: null, allowedIps: [] })).status).toBe(200);
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
    await hub.patch(keyId, { enabled: false });
    expect(await check()).toBe('disabled');
    await hub.patch(keyId, { enabled: true, allowedIps: ['198.51.100.0/24'] });
    expect(await check()).toBe('ip_not_allowed');
    await hub.patch(keyId, { allowedIps: [] });
    expect(await check()).toBe('ok');
    await verifier.stop();
  });
});

describe('a revoked key', () => {
  it('can be neither changed, rotated nor retired', async () => {
    const { keyId } = await hub.make();
    await hub.send(hub.admin, 'DELETE', hub.pathOf(keyId));
    const before = await hub.stored();
    const answers = [await hub.patch(keyId, { enabled: true }), await hub.rotate(keyId), await hub.retireOld(keyId)];
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
    const answer = await hub.send(hub.admin, method, hub.pathOf(keyId, action), body);
    expect(outcomeOf(answer)).toEqual([400, 'request.invalid']);
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect(await hub.stored()).toBe(before);
  });
});

describe('nobody opens up a key beyond what they hold', () => {
  const beyond = [403, 'api_keys.beyond_own_access'];

  it('but everybody may restrict', async () => {
    const { keyId } = await hub.make({ scopes: ['data:read', 'deliveries:read'], expiresAt: hub.inSeconds(3_600) });
    const weak = hub.person(['admin', 'data:read']);
    const before = await hub.stored();
    for (const body of [{ expiresAt: hub.inSeconds(7_200) }, { expiresAt: null }])
      expect(outcomeOf(await hub.patch(keyId, body, weak))).toEqual(beyond);
    expect((await hub.rotate(keyId, {}, weak)).body.detail).toContain('deliveries:read');
    expect(await hub.stored()).toBe(before);
    const narrower = {
      enabled: false,
      expiresAt: hub.inSeconds(60),
      allowedIps: ['192.0.2.0/24'],
      rateLimitPerMinute: 1,
    };
    expect((await hub.patch(keyId, narrower, weak)).status).toBe(200);
    for (const body of [{ enabled: true }, { allowedIps: [] }, { allowedIps: ['192.0.2.1', '192.0.3.1'] }])
      expect(outcomeOf(await hub.patch(keyId, body, weak))).toEqual(beyond);
    expect((await hub.patch(keyId, { allowedIps: ['192.0.2.1'] }, weak)).status).toBe(200);
    expect((await hub.patch(keyId, { enabled: true }, hub.person())).status).toBe(200);
  });

  it('nor may a key that is bound itself', async () => {
    const allowedIps = ['192.0.2.0/24'];
    const bound = await hub.keyCaller({ allowedIps, expiresAt: hub.inSeconds(3_600) });
    const wide = await hub.make();
    const outlasting = await hub.make({ allowedIps });
    const equal = await hub.make({ allowedIps: ['192.0.2.7'], expiresAt: hub.inSeconds(3_600) });
    for (const { keyId } of [wide, outlasting]) expect(outcomeOf(await hub.rotate(keyId, {}, bound))).toEqual(beyond);
    expect((await hub.rotate(equal.keyId, {}, bound)).status).toBe(200);
    for (const body of [{ allowedIps: [] }, { allowedIps: ['192.0.2.0/23'] }, { expiresAt: hub.inSeconds(3_601) }])
      for (const keyId of [equal.keyId, bound.keyId])
        expect(outcomeOf(await hub.patch(keyId, body, bound))).toEqual(beyond);
    expect((await hub.patch(equal.keyId, { allowedIps }, bound)).status).toBe(200);
    await hub.patch(wide.keyId, { enabled: false });
    expect(outcomeOf(await hub.patch(wide.keyId, { enabled: true }, bound))).toEqual(beyond);
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
      expect(outcomeOf(await hub.send(tester, method, hub.pathOf(live.keyId, action), body))).toEqual([
        403,
        'api_keys.environment_not_allowed',
      ]);
    expect(await hub.stored()).toBe(before);
    expect((await hub.rotate(test.keyId, {}, tester)).body.key).toMatch(/^teei_test_/);
  });
});
