import { newId } from '@impact-hub/core';
import { describe, expect, test } from 'vitest';
import { inputOf, openOther } from '../inbox/test-schemes.ts';
import { eventOf, sendSigned, useTestHub, type TestEndpoint } from '../test-hub.ts';
import { knownSenders } from '../verification/known-senders.ts';
import type { EndpointCredentials } from './new-secrets.ts';
import { callEndpoints, isAccepted, shownCredentials } from './test-management.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();

const call = (path: string, body: object = {}, company = companyId) => callEndpoints(hub, company, 'POST', path, body);
const rotate = (endpoint: { id: string }, body: object = {}) => call(`/${endpoint.id}/rotate-secret`, body);
const retire = (endpoint: { id: string }, secretId: string) => call(`/${endpoint.id}/secrets/${secretId}/retire`);
const auditOf = (endpoint: { id: string }, type: string) =>
  hub.owner<{ body: string }[]>`
    select convert_from(body, 'UTF8') as body from audit_event where resource_id = ${endpoint.id} and type = ${`impact_in.endpoint.${type}`}`;

describe('rotating the secret of an endpoint', () => {
  test('shows the new secret once, keeps both, tells which one matched last, and is audited without either', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const before = Date.now();
    const rotated = await rotate(endpoint, { reason: 'Once a year' });
    expect(rotated.status).toBe(200);
    expect(rotated.body.secret).toMatch(/^whsec_/);
    expect(rotated.body.secret).not.toBe(endpoint.secret);
    expect(Math.round((Date.parse(rotated.body.oldSecretEndsAt) - before) / 60_000)).toBe(24 * 60);
    const [fresh, old] = rotated.body.secrets;
    expect([fresh.generation, fresh.notAfter, old.generation, old.notAfter]).toEqual([
      2,
      null,
      1,
      rotated.body.oldSecretEndsAt,
    ]);
    for (const [secret, id] of [
      [endpoint.secret, old.id],
      [rotated.body.secret, fresh.id],
    ]) {
      expect((await sendSigned(hub, { ...endpoint, secret }, eventOf('benevity', newId()).body)).statusCode).toBe(200);
      await hub.impactIn.deps.matchedSecrets.flush();
      const shown = await callEndpoints(hub, companyId, 'GET', `/${endpoint.id}`);
      expect(shown.body.lastMatchedSecretId).toBe(id);
    }
    const [event] = await auditOf(endpoint, 'secret_rotated');
    expect(event?.body).toContain('Once a year');
    expect(event?.body).not.toContain(rotated.body.secret.slice(6));
  });

  test('a second rotation is refused naming the end of the first, unless it is forced', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });
    const first = await rotate(endpoint, { overlapSeconds: 3_600 });
    const refused = await rotate(endpoint);
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: 'impact_in.rotation_overlaps',
        detail: expect.stringContaining(first.body.oldSecretEndsAt),
        secretId: endpoint.secrets[0]?.id,
        notAfter: first.body.oldSecretEndsAt,
      },
    });
    const forced = await rotate(endpoint, { force: true });
    expect(forced.status).toBe(200);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(false);
    expect(await isAccepted(hub, endpoint, shownCredentials(first.body))).toBe(true);
    expect(await isAccepted(hub, endpoint, shownCredentials(forced.body))).toBe(true);
  });

  test('what another process accepts follows within moments', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'workday' });
    const other = await openOther(hub);
    const rotated = await rotate(endpoint);
    const fresh = shownCredentials(rotated.body);
    await expect.poll(() => isAccepted(other, endpoint, fresh)).toBe(true);
    expect(await isAccepted(other, endpoint, endpoint.credentials)).toBe(true);
    await retire(endpoint, endpoint.secrets[0]?.id ?? '');
    await expect.poll(() => isAccepted(other, endpoint, endpoint.credentials)).toBe(false);
    expect(await isAccepted(other, endpoint, fresh)).toBe(true);
    await other.close();
  });

  test('of many at once without force one is made', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotate(endpoint)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 409)]);
    expect(await auditOf(endpoint, 'secret_rotated')).toHaveLength(1);
  });

  test('of many at once with force all are made one after the other, and the last two are accepted', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const answers = await Promise.all(Array.from({ length: 6 }, () => rotate(endpoint, { force: true })));
    const made = answers
      .map(({ body }) => ({ generation: body.secrets[0].generation as number, credentials: shownCredentials(body) }))
      .toSorted((a, b) => a.generation - b.generation);
    expect(made.map(({ generation }) => generation)).toEqual([2, 3, 4, 5, 6, 7]);
    await hub.impactIn.deps.endpoints.reload(endpoint.id);
    const accepted = [];
    for (const { credentials } of made) accepted.push(await isAccepted(hub, endpoint, credentials));
    expect(accepted).toEqual([false, false, false, false, true, true]);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(false);
  });

  test('however often it is done, the last twenty generations are shown', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    for (let round = 0; round < 24; round += 1) await rotate(endpoint, { overlapSeconds: 0 });
    const shown = await callEndpoints(hub, companyId, 'GET', `/${endpoint.id}`);
    const generations = shown.body.secrets.map(({ generation }: { generation: number }) => generation);
    expect([generations.length, generations[0], generations.at(-1)]).toEqual([20, 25, 6]);
  });

  test('while it rotates, no webhook that carries a valid secret is refused', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    let current: EndpointCredentials = endpoint.credentials;
    let running = true;
    const sending = (async () => {
      let count = 0;
      for (; running; count += 1) expect(await isAccepted(hub, endpoint, current)).toBe(true);
      return count;
    })();
    for (let round = 0; round < 10; round += 1) {
      const rotated = await rotate(endpoint, { overlapSeconds: 60, force: true });
      current = shownCredentials(rotated.body);
    }
    running = false;
    expect(await sending).toBeGreaterThan(0);
  });
});

describe('retiring a secret', () => {
  test('the only one cannot be retired, an ended one stays as it is, and retiring the newest takes its rotation back', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-oauth']);
    const [first] = endpoint.secrets;
    expect(await retire(endpoint, first?.id ?? '')).toMatchObject({
      status: 409,
      body: { code: 'impact_in.only_secret' },
    });
    const rotated = await rotate(endpoint);
    const taken = await retire(endpoint, rotated.body.secrets[0].id);
    expect(taken.status).toBe(200);
    const shown = taken.body.secrets.map(({ generation, state, notAfter }: Record<string, unknown>) => [
      generation,
      state,
      notAfter !== null,
    ]);
    expect(shown).toEqual([
      [2, 'retired', true],
      [2, 'retired', true],
      [1, 'active', false],
      [1, 'active', false],
    ]);
    expect(await isAccepted(hub, endpoint, shownCredentials(rotated.body))).toBe(false);
    expect(await isAccepted(hub, endpoint, endpoint.credentials)).toBe(true);
    expect((await retire(endpoint, rotated.body.secrets[0].id)).status).toBe(200);
    expect(await auditOf(endpoint, 'secret_retired')).toHaveLength(1);
  });

  test('is nobody else’s business', async () => {
    const endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
    const stranger = await hub.addCompany();
    const own = await hub.addEndpoint(stranger, { partner: 'benevity' });
    const secretId = endpoint.secrets[0]?.id ?? '';
    expect((await call(`/${endpoint.id}/rotate-secret`, {}, stranger)).status).toBe(404);
    expect((await call(`/${endpoint.id}/secrets/${secretId}/retire`, {}, stranger)).status).toBe(404);
    expect(await call(`/${own.id}/secrets/${secretId}/retire`, {}, stranger)).toMatchObject({
      status: 404,
      body: { code: 'impact_in.secret_not_found' },
    });
  });
});

describe('a given secret', () => {
  const custom = (): Promise<TestEndpoint> => hub.addEndpoint(companyId, inputOf['custom-hmac']);

  test('is taken where the sender may make it, and never shown', async () => {
    const endpoint = await custom();
    const rotated = await rotate(endpoint, { secret: 'the sender has made it' });
    expect([rotated.status, rotated.body.secret]).toEqual([200, undefined]);
    expect(await isAccepted(hub, endpoint, { secret: 'the sender has made it' })).toBe(true);
  });

  test.each([
    ['benevity-hmac', { secret: 'the sender has made it' }, '/body/secret'],
    ['custom-hmac', { secret: 'short' }, '/body/secret'],
    ['benevity-hmac', { overlapSeconds: 604_801 }, '/body/overlapSeconds'],
    ['benevity-hmac', { overlapSeconds: -1 }, '/body/overlapSeconds'],
    ['benevity-hmac', { force: 'yes' }, '/body/force'],
    ['benevity-hmac', { nonsense: 1 }, '/body/nonsense'],
  ] as const)('%s refuses %j naming the field', async (scheme, body, pointer) => {
    const endpoint = await hub.addEndpoint(companyId, inputOf[scheme]);
    const refused = await rotate(endpoint, body);
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ pointer }] } });
  });

  test('has to be in the encoding of the profile', async () => {
    const profile = { ...knownSenders.charityStack, keyEncoding: 'hex' as const };
    const endpoint = await hub.addEndpoint(companyId, { ...inputOf['custom-hmac'], profile });
    expect(await rotate(endpoint, { secret: 'not hexadecimal at all' })).toMatchObject({
      status: 400,
      body: { errors: [{ pointer: '/body/secret' }] },
    });
  });

  test('there is none where the partner signs with keys of its own', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    expect(await rotate(endpoint)).toMatchObject({ status: 409, body: { code: 'impact_in.no_secret_to_rotate' } });
  });
});
