import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

let hub: TestHub;
let keyOfA: { key: string };
let keyOfB: { key: string };
beforeAll(async () => {
  hub = await createTestHub();
  keyOfA = await hub.key(await hub.company());
  keyOfB = await hub.key(await hub.company());
});
afterAll(() => hub.close());

const json = { 'content-type': 'application/json' };
const endpoints = '/api/v1/impact-in/endpoints';
const createEndpoint = (key: string, name: string) =>
  hub.call('POST', endpoints, {
    key,
    headers: json,
    body: JSON.stringify({ partner: 'benevity', name }),
  });
const namesFor = async (key: string): Promise<string[]> =>
  (await hub.call('GET', endpoints, { key })).json<{ data: { name: string }[] }>().data.map(({ name }) => name);

describe('the description of the API', () => {
  test('is made once, with an entity tag by which callers need not fetch it again', async () => {
    const first = await hub.call('GET', '/openapi.json');
    expect(first.headers['content-type']).toBe('application/json');
    const second = await hub.call('GET', '/openapi.json');
    expect(second.body).toBe(first.body);
    expect(second.headers['x-cache']).toBe('memory');
    expect(second.headers['cache-control']).toMatch(/^public, max-age=\d+$/);
    const unchanged = await hub.call('GET', '/openapi.json', {
      headers: { 'if-none-match': String(first.headers['etag']) },
    });
    expect([unchanged.statusCode, unchanged.body, unchanged.headers['etag']]).toEqual([304, '', first.headers['etag']]);
    const head = await hub.server.inject({ method: 'HEAD', url: '/openapi.json' });
    expect([head.statusCode, head.body, head.headers['etag']]).toEqual([200, '', first.headers['etag']]);
    expect(Number(head.headers['content-length'])).toBe(Buffer.byteLength(first.body));
  });

  test('is fetched before anybody asks when a process begins', async () => {
    const fetched: string[] = [];
    await hub.hub.responseCache.warmUp(async (path) => fetched.push(path));
    expect(fetched.toSorted()).toEqual(['/api/v1/problems', '/openapi.json']);
  });

  test('is a problem when it may only come from the cache and is not there', async () => {
    const headers = { 'cache-control': 'only-if-cached' };
    const answer = await hub.call('GET', `${endpoints}?limit=7`, { key: keyOfA.key, headers });
    expect([answer.statusCode, answer.json<{ code: string }>().code]).toEqual([504, 'cache.not_cached']);
  });
});

describe('kept answers of a company', () => {
  test('show a change to whoever asks after it was acknowledged, and to no other company', async () => {
    for (const round of [1, 2, 3]) {
      const before = await namesFor(keyOfA.key);
      expect(before).toHaveLength(round - 1);
      expect((await hub.call('GET', endpoints, { key: keyOfA.key })).headers['x-cache']).toBe('memory');
      const created = await createEndpoint(keyOfA.key, `Endpoint ${round}`);
      expect(created.statusCode, created.body).toBe(201);
      expect(await namesFor(keyOfA.key)).toContain(`Endpoint ${round}`);
      expect(await namesFor(keyOfB.key)).toEqual([]);
    }
  });

  test('show a state as soon as it was set', async () => {
    const { id } = (await createEndpoint(keyOfA.key, 'Paused')).json<{ id: string }>();
    const state = async () =>
      (await hub.call('GET', `${endpoints}/${id}`, { key: keyOfA.key })).json<{ state: string }>().state;
    expect(await state()).toBe('active');
    await hub.call('POST', `${endpoints}/${id}/pause`, { key: keyOfA.key });
    expect(await state()).toBe('paused');
    expect((await hub.call('GET', `${endpoints}/${id}`, { key: keyOfB.key })).statusCode).toBe(404);
  });

  test('show a revoked key as revoked', async () => {
    const admin = await hub.key(await hub.company());
    const other = await hub.call('POST', '/admin/api-keys', {
      key: admin.key,
      headers: json,
      body: JSON.stringify({ name: 'Other', environment: 'live', scopes: ['data:read'] }),
    });
    const access = `/admin/api-keys/${other.json<{ keyId: string }>().keyId}`;
    const statusOf = async () =>
      (await hub.call('GET', `${access}/effective-access`, { key: admin.key })).json<{ status: string }>().status;
    expect([await statusOf(), await statusOf()]).toEqual(['active', 'active']);
    await hub.call('DELETE', access, { key: admin.key });
    expect(await statusOf()).toBe('revoked');
    expect((await hub.call('GET', `${access}/effective-access`, { key: keyOfA.key })).statusCode).toBe(404);
  });
});
