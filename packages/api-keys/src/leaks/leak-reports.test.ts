import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { composeApiKey } from '../key-format.ts';
import { startKeyRoutes } from '../test-key-routes.ts';
import { describeFind } from './describe-find.ts';

type Hub = Awaited<ReturnType<typeof startKeyRoutes>>;
const hubs = {} as Record<'revoke' | 'disable' | 'notify', Hub>;
beforeAll(async () => {
  for (const policy of ['revoke', 'disable', 'notify'] as const) hubs[policy] = await startKeyRoutes(policy);
});
afterAll(() => Promise.all(Object.values(hubs).map((hub) => hub.close())));

const find = (token: string, overrides: object = {}) => ({
  token,
  type: 'impact_hub_api_key',
  url: 'https://code.example/a/b/blob/main/.env',
  source: 'content',
  ...overrides,
});
const report = (hub: Hub, ...finds: unknown[]) => {
  // Time enough that the limit of the address is not what is tested.
  hub.clock.advanceMs(60_000);
  return hub.send(hub.admin, 'POST', '/api/v1/leaked-keys', finds);
};
const read = async (hub: Hub, keyId: string) => (await hub.send(hub.admin, 'GET', `/admin/api-keys/${keyId}`)).body;
const rotate = async (hub: Hub, keyId: string) =>
  (await hub.send(hub.admin, 'POST', `/admin/api-keys/${keyId}/rotate`, {})).body.key as string;

describe('a report of a valid key', () => {
  it('revokes it and is recorded, without the key', async () => {
    const hub = hubs.revoke;
    const { key, keyId } = await hub.make();
    const answer = await report(hub, find(key, { url: `https://code.example/?q=${key}` }));
    expect([answer.status, answer.body]).toEqual([202, { received: 1 }]);
    expect(await read(hub, keyId)).toMatchObject({
      status: 'revoked',
      revokeReason: 'leaked: content',
      revokedBy: 'system:leak-reports',
      secrets: [{ leakReportedAt: hub.clock.now().toISOString() }],
    });
    const events = await hub.events(keyId);
    expect(events.map(({ type, severity }) => `${type} ${severity}`)).toEqual([
      'api_key.created info',
      'api_key.leak_reported critical',
      'api_key.revoked warning',
    ]);
    expect(events[1]?.metadata).toMatchObject({ source: 'content', policy: 'revoke', outcome: 'revoked' });
    for (const table of ['api_key', 'audit_event', 'hub_change'])
      expect(JSON.stringify(await hub.database.owner.unsafe(`select * from ${table}`))).not.toContain(key.slice(22));
    const bodies = await hub.database.owner`select convert_from(body, 'UTF8') as body from audit_event`;
    expect(JSON.stringify(bodies)).not.toContain(key.slice(22, 40));
  });

  it('disables it, or only marks it, where the policy says so', async () => {
    const disabled = await hubs.disable.make();
    await report(hubs.disable, find(disabled.key));
    expect((await read(hubs.disable, disabled.keyId)).status).toBe('disabled');
    const noted = await hubs.notify.make();
    await report(hubs.notify, find(noted.key));
    expect(await read(hubs.notify, noted.keyId)).toMatchObject({
      status: 'active',
      secrets: [{ leakReportedAt: hubs.notify.clock.now().toISOString() }],
    });
    expect((await hubs.notify.events(noted.keyId)).at(-1)).toMatchObject({ type: 'api_key.leak_reported' });
  });

  it('changes nothing when it is repeated', async () => {
    for (const hub of Object.values(hubs)) {
      const { key } = await hub.make();
      await report(hub, find(key));
      const before = await hub.stored();
      expect((await report(hub, find(key))).status).toBe(202);
      expect(await hub.stored()).toBe(before);
    }
  });

  it('ends an old secret alone, as its key has a newer one', async () => {
    const hub = hubs.revoke;
    const { key, keyId } = await hub.make();
    await rotate(hub, keyId);
    await report(hub, find(key));
    expect(await read(hub, keyId)).toMatchObject({
      status: 'active',
      secrets: [{ state: 'current' }, { state: 'ended' }],
    });
    const other = await hub.make();
    const fresh = await rotate(hub, other.keyId);
    await report(hub, find(fresh));
    expect((await read(hub, other.keyId)).status).toBe('revoked');
  });

  it('is all or nothing: what cannot be recorded does not happen', async () => {
    const hub = hubs.revoke;
    const { key, keyId } = await hub.make();
    await hub.database.owner`revoke insert on audit_event from hub_runtime`;
    await report(hub, find(key));
    await hub.database.owner`grant insert on audit_event to hub_runtime`;
    expect(await read(hub, keyId)).toMatchObject({ status: 'active', secrets: [{ leakReportedAt: null }] });
    await report(hub, find(key));
    expect((await read(hub, keyId)).status).toBe('revoked');
  });
});

describe('the answer', () => {
  it('is the same whether a report was a key or not', async () => {
    const hub = hubs.revoke;
    const { key, keyId } = await hub.make();
    const madeUp = composeApiKey('live', keyId);
    const before = await hub.stored();
    const answers = [];
    for (const token of ['secret', madeUp, `${key}x`, key.slice(0, -1)]) answers.push(await report(hub, find(token)));
    expect(await hub.stored()).toBe(before);
    answers.push(await report(hub, find(key)));
    expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1);
  });

  it.each([
    ['/body', []],
    ['/body', Array.from({ length: 101 }, () => find('x'))],
    ['/body/0/token', [find('')]],
    ['/body/0/token', [{ url: 'https://code.example' }]],
    ['/body/1/token', [find('x'), find('x'.repeat(501))]],
    ['/body/0/url', [find('x', { url: 'u'.repeat(2_049) })]],
    ['/body/0/source', [find('x', { source: 'nul\u0000' })]],
    ['/body/0/type', [find('x', { type: 5 })]],
  ])('names %s when it is malformed', async (pointer, finds) => {
    const hub = hubs.revoke;
    const before = await hub.stored();
    const { status, body } = await report(hub, ...finds);
    expect([status, body.errors.map((error: { pointer: string }) => error.pointer)]).toEqual([400, [pointer]]);
    expect(await hub.stored()).toBe(before);
  });

  it('is 429 with a time to wait when an address sends too many', async () => {
    const hub = hubs.notify;
    hub.clock.advanceMs(60_000);
    const answers = [];
    for (let sent = 0; sent < 11; sent += 1)
      answers.push(await hub.send(hub.admin, 'POST', '/api/v1/leaked-keys', [find('x')]));
    expect(answers.map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => 202), 429]);
    expect(answers.at(-1)?.headers['retry-after']).toBe('2');
  });
});

describe('what is kept of a report', () => {
  const key = composeApiKey('live', 'abcdefghijkl');
  const secret = key.slice(22);
  it.each([
    key,
    `https://x.example/?k=${key}&v=1`,
    `https://x.example/${secret}`,
    `https://x.example/${key.replace('_', '%5F').replace('_', '%5f')}`,
    `https://x.example/${[...secret].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')}`,
    `https://x.example/${secret.toLowerCase()}`,
    `https://x.example/${secret.slice(5, 30)}`,
  ])('has no part of the secret: %s', (url) => {
    const kept = JSON.stringify(describeFind({ token: key, url, source: url, type: url }));
    expect(decodeURIComponent(kept).toLowerCase()).not.toContain(secret.slice(5, 30).toLowerCase());
    expect(describeFind({ token: key, url: 'https://x.example/a?b=c', source: 'commit' })).toEqual({
      url: 'https://x.example/a?b=c',
      source: 'commit',
      type: null,
    });
  });
});
