import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '@impact-hub/core';
import { makeEvent, signRequest } from '@impact-hub/impact-in';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

let hub: TestHub;
let address: string;
let key: string;
beforeAll(async () => {
  hub = await createTestHub();
  key = (await hub.key(await hub.company())).key;
  address = await hub.server.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => hub.close());

const endpoints = (args: readonly string[]) =>
  runHubCommand(['endpoints', ...args], { HUB_URL: address, HUB_API_KEY: key });

const create = async (...args: string[]) => {
  const made = await endpoints(['create', '--partner', 'benevity', '--name', 'Giving', ...args]);
  const id = /Made endpoint (\S+)/.exec(made.stderr)?.[1] ?? '';
  return { ...made, id, secret: made.stdout.trim() };
};
const sendWith = async (id: string, secret: string): Promise<number> => {
  const { body } = makeEvent('benevity', { seed: newId(), nowMs: Date.now() });
  const { headers } = signRequest({ scheme: 'benevity-hmac', secret, body, nowMs: Date.now() });
  const answer = await fetch(`${address}/webhooks/benevity/${id}`, { method: 'POST', headers, body: body as never });
  return answer.status;
};

test('an endpoint is made, tried, shown, rotated with an overlap, and its old secret retired', async () => {
  const { id, secret, stderr } = await create('--expect-every', '1h', '--hint', 'org_1');
  expect(secret).toMatch(/^whsec_\S+$/);
  expect(stderr).toContain(`/webhooks/benevity/${id}`);
  expect(await sendWith(id, secret)).toBe(200);

  const [pinged, shown, listed] = await Promise.all([
    endpoints(['ping', id]),
    endpoints(['show', id]),
    endpoints(['list', '--partner', 'benevity']),
  ]);
  expect([pinged.code, pinged.stdout]).toEqual([0, expect.stringMatching(/accepted +yes/)]);
  expect(shown.stdout).toMatch(/expected every +1h\n +tolerance +5m\n +body limit +262144 bytes/);
  expect(shown.stdout + listed.stdout).not.toContain(secret.slice(6));
  expect(listed.stdout).toContain(id);

  const rotated = await endpoints(['rotate', id, '--overlap', '2h', '--reason', 'Once a year']);
  const fresh = rotated.stdout.trim();
  expect([await sendWith(id, secret), await sendWith(id, fresh)]).toEqual([200, 200]);
  const again = await endpoints(['rotate', id]);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain(`hub endpoints retire-secret ${id}`);

  const { secrets } = JSON.parse((await endpoints(['show', id, '--json'])).stdout) as { secrets: { id: string }[] };
  const retired = await endpoints(['retire-secret', id, secrets[1]?.id ?? '']);
  expect(retired.stdout).toContain('retired');
  expect([await sendWith(id, secret), await sendWith(id, fresh)]).toEqual([401, 200]);
});

test('what credentials.json says of an endpoint is good after its rotation, and gone with it', async () => {
  const folder = await temporaryDirectory();
  const file = join(folder.path, 'credentials.json');
  const made = await create();
  const other = { endpointId: newId(), secret: 'whsec_other' };
  const kept = { endpointId: made.id, secret: made.secret, scheme: 'benevity-hmac' };
  await writeFile(file, JSON.stringify({ baseUrl: address, endpoints: [other, kept] }));
  const run = (...args: string[]) =>
    runHubCommand(['endpoints', ...args], { HUB_URL: address, HUB_API_KEY: key, HUB_DATA_DIR: folder.path });
  const rotated = await run('rotate', made.id);
  expect(rotated.stderr).toContain(`${file} has the new secret too.`);
  const read = async () => (JSON.parse(await readFile(file, 'utf8')) as { endpoints: unknown[] }).endpoints;
  expect(await read()).toEqual([other, { ...kept, secret: rotated.stdout.trim() }]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await run('delete', made.id, '--yes')).stderr).toContain('does not list it any more');
  expect(await read()).toEqual([other]);
  await folder.remove();
});

test('an endpoint is changed, paused, resumed and deleted', async () => {
  const { id } = await create();
  const changed = await endpoints([
    'change',
    id,
    '--name',
    'Another',
    '--expect-every',
    '1d',
    '--allow-ip',
    '10.0.0.0/8',
  ]);
  expect(changed.stdout).toMatch(/name +Another/);
  expect((await endpoints(['pause', id])).stdout).toBe(`Endpoint ${id} is paused.\n`);
  const pinged = await endpoints(['ping', id]);
  expect([pinged.code, pinged.stdout]).toEqual([1, expect.stringContaining('endpoint_paused')]);
  expect((await endpoints(['resume', id])).stdout).toBe(`Endpoint ${id} is active.\n`);
  const unasked = await endpoints(['delete', id]);
  expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining('Add --yes')]);
  expect((await endpoints(['delete', id, '--yes'])).stdout).toContain('was deleted');
  const gone = await endpoints(['show', id]);
  expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('See which there are: hub endpoints list.')]);
});

test('what is wrong is said by the options, and what is no id is refused without a call', async () => {
  const [noId, nothing, tolerance, file, silent] = await Promise.all([
    endpoints(['show', 'nonsense']),
    endpoints(['change', newId()]),
    endpoints(['create', '--partner', 'benevity', '--name', 'x', '--tolerance', '1h']),
    endpoints(['create', '--partner', 'benevity', '--name', 'x', '--settings', '/nowhere.json']),
    endpoints(['list', '--silent']),
  ]);
  expect([noId.code, nothing.code, file.code]).toEqual([2, 2, 2]);
  expect([tolerance.code, tolerance.stderr]).toEqual([2, expect.stringMatching(/--tolerance.*at most 15m/)]);
  expect(noId.stderr).toContain('an endpoint');
  expect([silent.code, silent.stderr]).toEqual([0, 'No partner is silent.\n']);
});
