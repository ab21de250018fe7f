import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createEndpoint, faultsOf } from '@impact-hub/impact-in';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

const by = { actor: { kind: 'system', id: 'test' } } as const;

let hub: TestHub;
let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
let secretFile: string;
let secret: string;
let url: string;
let companyId: string;

beforeAll(async () => {
  [hub, folder] = await Promise.all([createTestHub(), temporaryDirectory()]);
  companyId = await hub.company();
  const { deps } = hub.hub.impactIn;
  const { endpoint, credentials } = await hub.hub.db.company(companyId, (tx) =>
    createEndpoint(tx, deps, by, { partner: 'benevity', name: 'Benevity' }),
  );
  await deps.endpoints.reload();
  url = `http://127.0.0.1:${await hub.listen()}/webhooks/benevity/${endpoint.id}`;
  secret = 'secret' in credentials ? credentials.secret : '';
  secretFile = join(folder.path, 'secret.txt');
  await writeFile(secretFile, `${secret}\n`);
  const kept = { partner: 'benevity', endpointId: endpoint.id, url, scheme: 'benevity-hmac', secret };
  await writeFile(join(folder.path, 'credentials.json'), JSON.stringify({ baseUrl: url, endpoints: [kept] }));
});
afterAll(async () => {
  await hub.close();
  await folder.remove();
});

const simulate = (args: readonly string[], settings: Record<string, string> = {}) =>
  runHubCommand(['simulate', ...args], settings);

const outcomes = async (): Promise<Record<string, number>> => {
  const rows = await hub.database.owner<{ outcome: string; n: number }[]>`
    select outcome, count(*)::int as n from impact_in_receipt where company_id = ${companyId} group by outcome`;
  return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, n]));
};

test('a partner of the installation shows everything that can be wrong, and the hub answers as documented', async () => {
  const all = await simulate(['benevity', '--fault', 'all'], { HUB_DATA_DIR: folder.path });
  expect([all.code, all.stderr]).toEqual([0, '']);
  const faults = faultsOf('benevity-hmac');
  for (const fault of faults) expect(all.stdout).toMatch(new RegExp(`ok +${fault} `));
  expect(all.stdout).not.toContain('NOT OK');
  expect(all.stdout).not.toContain(secret);
  // What was too long is answered, and nothing of it is kept.
  expect(await outcomes()).toMatchObject({ accepted: 4, duplicate: 1, conflict: 1, quarantined: 2 });
});

test('many events go to an address at a rate, and their answers are counted', async () => {
  const before = await outcomes();
  const many = await simulate([
    'benevity',
    '--url',
    url,
    '--secret-file',
    secretFile,
    '--count',
    '60',
    '--rate',
    '300',
  ]);
  expect([many.code, many.stderr]).toEqual([0, '']);
  expect(many.stdout).toMatch(/ok +good +a signed event +200 +60 /);
  expect((await outcomes())['accepted']).toBe((before['accepted'] ?? 0) + 60);
});

test('what is not answered as documented ends with 1, a wrong command line with 2', async () => {
  const seeded = ['--json', '--seed', 'twice', '--event-type', 'delivery.retry', '--correlation-id', 'txn_7'];
  const [wrong, json, none, nobody, fault] = await Promise.all([
    simulate(['benevity', '--url', url, '--secret', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA']),
    simulate(['benevity', '--url', url, '--secret-file', secretFile, ...seeded]),
    simulate(['goodera'], { HUB_DATA_DIR: folder.path }),
    simulate(['benevity', '--url', 'http://127.0.0.1:1/webhooks/benevity/1', '--secret', 'x']),
    simulate(['benevity', '--fault', 'missingHeader'], { HUB_DATA_DIR: folder.path }),
  ]);
  expect([wrong.code, wrong.stdout]).toEqual([1, expect.stringContaining('NOT OK')]);
  expect(JSON.parse(json.stdout)).toMatchObject({ fault: 'good', asExpected: true });
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--url')]);
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('Nobody answers at http://127.0.0.1:1')]);
  expect([fault.code, fault.stderr]).toEqual([2, expect.stringContaining('cannot show the fault missingHeader')]);
});

test('a secret that was changed elsewhere is said to be no longer accepted', async () => {
  const old = await temporaryDirectory();
  const [, , , endpointId] = new URL(url).pathname.split('/');
  const kept = { partner: 'benevity', endpointId, url, scheme: 'benevity-hmac', secret: 'whsec_b3RoZXJvdGhlcm90aGVy' };
  await writeFile(join(old.path, 'credentials.json'), JSON.stringify({ baseUrl: url, endpoints: [kept] }));
  const ended = await runHubCommand(['simulate', 'benevity'], { HUB_DATA_DIR: old.path });
  expect([ended.code, ended.stderr]).toEqual([
    1,
    expect.stringContaining('no longer accepted; give the present one by'),
  ]);
  await old.remove();
});
