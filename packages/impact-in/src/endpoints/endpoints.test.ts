import { describe, expect, test } from 'vitest';
import { eventOf, read, sendSigned, useTestHub } from '../test-hub.ts';
import { openEndpointDirectory } from './endpoint-directory.ts';
import type { Endpoint } from './endpoint.ts';
import { postEndpoint } from './test-management.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

const post = (body: unknown) => postEndpoint(hub, companyId, body as object);

describe('endpoints over HTTP', () => {
  test('a created endpoint shows its secret once, is audited without it, and works at once', async () => {
    const answer = await post({ partner: 'benevity', name: 'Ours' });
    expect(answer.statusCode).toBe(201);
    const created = answer.json<{ id: string; secret: string; url: string; scheme: string }>();
    expect(created.url).toBe(`http://hub.test/webhooks/benevity/${created.id}`);
    expect(created.secret).toMatch(/^whsec_/);
    const endpoint = { ...created, partner: 'benevity', companyId, credentials: { secret: created.secret } };
    expect((await sendSigned(hub, endpoint as never, eventOf('benevity', 'at once').body)).statusCode).toBe(200);
    const shown = await read(hub, companyId, `/endpoints/${created.id}`);
    expect(shown.body).not.toContain('whsec_');
    expect(shown.body).not.toContain('hub1.');
    const stored = await hub.owner`select ciphertext from impact_in_endpoint_secret where endpoint_id = ${created.id}`;
    expect(stored[0]?.['ciphertext']).toMatch(/^hub1\./);
    const audited = await hub.owner`select body from audit_event where resource_id = ${created.id}`;
    expect(audited).toHaveLength(1);
    expect(String(audited[0]?.['body'])).not.toContain(created.secret);
  });

  test('an OAuth endpoint is created with client credentials and the address for tokens', async () => {
    const created = (await post({ partner: 'workday', name: 'OAuth', scheme: 'workday-oauth' })).json<
      Record<string, unknown>
    >();
    expect(created).toMatchObject({ clientId: created['id'], tokenUrl: 'http://hub.test/oauth/token' });
    expect(created['clientSecret']).toMatch(/^hubcs_/);
    expect(created).not.toHaveProperty('secret');
  });

  test.each([
    [{ partner: 'benevity', name: 'x', scheme: 'goodera-hmac' }, '/body/scheme'],
    [{ partner: 'nobody', name: 'x' }, '/body/partner'],
    [{ partner: 'benevity', name: '' }, '/body/name'],
    [{ partner: 'benevity', name: 'a\0b' }, '/body/name'],
    [{ partner: 'benevity', name: 'x', toleranceSeconds: 5 }, '/body/toleranceSeconds'],
    [{ partner: 'benevity', name: 'x', allowedNetworks: ['10.0.0.0/40'] }, '/body/allowedNetworks/0'],
    [{ partner: 'benevity', name: 'x', allowedNetworks: ['10.0.0.1/8'] }, '/body/allowedNetworks/0'],
    [{ partner: 'benevity', name: 'x', secret: 'mine' }, '/body/secret'],
  ])('%j is refused naming %s', async (body, pointer) => {
    const answer = await post(body);
    expect(answer.statusCode).toBe(400);
    expect(answer.json<{ errors: { pointer: string }[] }>().errors[0]?.pointer).toBe(pointer);
  });

  test('which secret matched last is shown', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });
    await sendSigned(hub, endpoint, eventOf('goodera', 'matched').body);
    await hub.impactIn.deps.matchedSecrets.flush();
    const shown = (await read(hub, companyId, `/endpoints/${endpoint.id}`)).json<{
      secrets: { lastMatchedAt: string }[];
    }>();
    expect(Date.now() - new Date(shown.secrets[0]?.lastMatchedAt ?? 0).getTime()).toBeLessThan(10_000);
  });

  test('a secret whose ciphertext was moved to another endpoint opens nothing', async () => {
    const [one, two] = [
      await hub.addEndpoint(companyId, { partner: 'benevity' }),
      await hub.addEndpoint(companyId, { partner: 'benevity' }),
    ];
    await hub.owner`update impact_in_endpoint_secret set ciphertext =
      (select ciphertext from impact_in_endpoint_secret where endpoint_id = ${one.id}) where endpoint_id = ${two.id}`;
    await hub.impactIn.deps.endpoints.reload(two.id);
    const event = eventOf('benevity', 'moved');
    expect((await sendSigned(hub, { ...two, secret: one.secret }, event.body)).statusCode).toBe(401);
    expect((await sendSigned(hub, one, event.body)).statusCode).toBe(200);
  });
});

describe('endpoint directory', () => {
  test('another process knows a change within moments, through the change feed', async () => {
    const other = await hub.open();
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    await expect.poll(() => other.deps.endpoints.find(endpoint.id)?.state).toBe('active');
    await hub.server.inject({
      method: 'POST',
      url: `/api/v1/impact-in/endpoints/${endpoint.id}/pause`,
      headers: { 'x-test-company': companyId },
    });
    await expect.poll(() => other.deps.endpoints.find(endpoint.id)?.state).toBe('paused');
    await other.stop();
  });

  const fakeEndpoint = (state: 'active' | 'paused') =>
    ({ id: 'e', partner: 'benevity', state, hint: null }) as Endpoint;
  const noChanges = { subscribe: () => undefined };
  const ignore = () => undefined;

  test('a load that raced a change does not outlive it', async () => {
    let state: 'active' | 'paused' = 'active';
    let hold: Promise<void> | undefined;
    let onChange: (id: string) => void = ignore;
    const directory = await openEndpointDirectory({
      loader: {
        load: async () => {
          const seen = state;
          await hold;
          return [fakeEndpoint(seen)];
        },
      },
      changes: { subscribe: (_topic, listener) => (onChange = listener) },
      onError: ignore,
    });
    let release: () => void = ignore;
    hold = new Promise((resolve) => (release = resolve));
    const slow = directory.reload('e');
    state = 'paused';
    onChange('e');
    hold = undefined;
    release();
    await slow;
    expect(directory.find('e')?.state).toBe('paused');
    await directory.stop();
  });

  test('while the database is away known endpoints serve for the time they are trusted, then none is said to be unknown', async () => {
    let away = false;
    const directory = await openEndpointDirectory({
      loader: { load: async () => (away ? Promise.reject(new Error('away')) : [fakeEndpoint('active')]) },
      changes: noChanges,
      onError: ignore,
      reloadIntervalMs: 20,
      trustedForMs: 1_000,
    });
    away = true;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(directory.find('e')).toBeDefined();
    await expect.poll(() => [directory.isCurrent(), directory.find('e')]).toEqual([false, undefined]);
    away = false;
    await expect.poll(() => directory.isCurrent()).toBe(true);
    await directory.stop();
  });
});
