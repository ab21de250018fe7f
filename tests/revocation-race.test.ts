import { createApiKey, type ApiKeyView } from '@impact-hub/api-keys';
import { systemClock } from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHubProcess, type HubProcess } from './support/hub-process.ts';
import { countAccepted, raceColdKey, raceWarmKey, type EndKey, type RaceKey } from './support/revocation-race.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const by = { actor: { kind: 'system', id: 'test' }, scopes: null } as const;
const scopeCatalogue = { admin: 'Administer.', 'data:read': 'Read.' };

let database: TestDatabase;
let redis: TestRedis;
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let gateways: HubProcess[] = [];
let ports: number[];
let adminKey: string;
let makeKeys: (count: number) => Promise<RaceKey[]>;

beforeAll(async () => {
  [database, redis, directory] = await Promise.all([createTestDatabase(), createTestRedis(), temporaryDirectory()]);
  const companyId = crypto.randomUUID();
  await database.owner`insert into company (id, name) values (${companyId}, 'A company')`;
  const make = (scope: keyof typeof scopeCatalogue): Promise<RaceKey & ApiKeyView> =>
    database.db.company(companyId, (tx) =>
      createApiKey(tx, { clock: systemClock, scopeCatalogue }, by, {
        name: 'k',
        environment: 'live',
        scopes: [scope],
        rateLimitPerMinute: 10_000_000,
        allowedIps: [],
        metadata: {},
      }),
    );
  makeKeys = (count) => Promise.all(Array.from({ length: count }, () => make('data:read')));
  adminKey = (await make('admin')).key;
  const settings = {
    DATABASE_URL: database.ownerUrl,
    REDIS_URL: redis.url,
    HUB_DATA_DIR: directory.path,
    HUB_PORT: '0',
    HUB_TRUST_PROXY: '127.0.0.1',
  };
  const start = () => startHubProcess(settings, ['start', '--target=gateway']);
  // The first makes the root key.
  gateways = [await start()];
  gateways.push(...(await Promise.all([start(), start()])));
  ports = gateways.map(({ url }) => Number(new URL(url).port));
}, 90_000);
afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')));
  await Promise.all([database.drop(), redis.close(), directory.remove()]);
});

let calls = 0;
const call = async (method: string, keyId: string, body?: object): Promise<void> => {
  const gateway = gateways[calls++ % gateways.length];
  const response = await fetch(`${gateway?.url}/admin/api-keys/${keyId}`, {
    method,
    headers: { 'x-api-key': adminKey, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} was answered with ${response.status}: ${await response.text()}`);
};
const revoke: EndKey = (keyId) => call('DELETE', keyId);
const disable: EndKey = (keyId) => call('PATCH', keyId, { enabled: false });

test.each([
  ['revoked', revoke],
  ['disabled', disable],
])('a key that is %s under load is refused by every process for good', async (_, end) => {
  const keys = await makeKeys(30);
  const results = [];
  for (let at = 0; at < keys.length; at += 5)
    results.push(...(await Promise.all(keys.slice(at, at + 5).map((key) => raceWarmKey(ports, key, end)))));
  // The guarantee with every message lost; how fast it is with messages, benchmarks/revocation.ts measures.
  expect(Math.max(...results.flatMap(({ latenessMs }) => latenessMs))).toBeLessThan(2_000);
  expect(await countAccepted(ports, keys)).toBe(0);
});

test('a key read for the first time while it is revoked is not remembered as good by any process', async () => {
  const keys = await makeKeys(30);
  const results = [];
  for (const [index, key] of keys.entries()) results.push(await raceColdKey(ports, key, revoke, index % 4));
  expect(Math.max(...results.flatMap(({ latenessMs }) => latenessMs))).toBeLessThan(2_000);
  expect(await countAccepted(ports, keys)).toBe(0);
});
