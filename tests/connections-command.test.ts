import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPartnerApis, type PartnerApis } from '@impact-hub/impact-in';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

let hub: TestHub;
let partners: PartnerApis;
let folder: Awaited<ReturnType<typeof temporaryDirectory>>;
let environment: Record<string, string>;
beforeAll(async () => {
  [hub, partners, folder] = await Promise.all([
    createTestHub(undefined, { HUB_PARTNER_PRIVATE_ADDRESSES: 'allow' }),
    startPartnerApis(),
    temporaryDirectory(),
  ]);
  const { key } = await hub.key(await hub.company());
  environment = { HUB_URL: await hub.server.listen({ host: '127.0.0.1', port: 0 }), HUB_API_KEY: key };
});
afterAll(async () => {
  await hub.close();
  await partners.close();
  await folder.remove();
});

const run = (...args: string[]) => runHubCommand(args, environment);

test('a connection is made, tried, paused with what is sent to it, resumed and deleted', async () => {
  const [credentials, payload] = [join(folder.path, 'credentials.json'), join(folder.path, 'event.json')];
  const { apiKey, signingSecret } = partners.credentials;
  await writeFile(credentials, JSON.stringify({ apiKey, signingSecret }));
  await writeFile(payload, JSON.stringify({ activity: 'Reading', hours: 2, occurredAt: '2027-01-31T09:00:00Z' }));
  const settings = ['--name', 'Giving', '--base-url', partners.baseUrl, '--credentials-file', credentials];
  const made = await run('connections', 'create', '--api', 'benevity', ...settings);
  const id = /connection +([0-9a-f-]{36})/.exec(made.stdout)?.[1] ?? '';
  expect([made.code, made.stderr]).toEqual([0, `Try it: hub connections test ${id}\n`]);
  const [tested, listed, changed, wrong] = await Promise.all([
    run('connections', 'test', id),
    run('connections', 'list'),
    run('connections', 'change', id, '--requests-per-minute', '30'),
    run('connections', 'create', '--api', 'nothing', ...settings),
  ]);
  expect([tested.code, tested.stdout]).toEqual([0, expect.stringMatching(/reachable +yes/)]);
  expect(made.stdout + listed.stdout).not.toContain(apiKey);
  expect(listed.stdout).toContain(id);
  expect(changed.stdout).toContain('30 calls a minute');
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('--api')]);

  expect((await run('connections', 'pause', id)).stdout).toBe(`Connection ${id} is paused.\n`);
  const sent = await run('deliveries', 'send', '--connection', id, '--payload-file', payload);
  const shown = await run('deliveries', 'show', sent.stdout.trim());
  expect(shown.stdout).toMatch(new RegExp(`connection +${id}`));
  expect((await run('connections', 'resume', id)).stdout).toBe(`Connection ${id} is active.\n`);
  const unasked = await run('connections', 'delete', id);
  expect([unasked.code, unasked.stderr]).toEqual([2, expect.stringContaining('Add --yes')]);
  expect((await run('connections', 'delete', id, '--yes')).stdout).toBe(`Connection ${id} was deleted.\n`);
  expect((await run('connections', 'show', id)).stderr).toContain('hub connections list');
});
