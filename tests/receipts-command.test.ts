import { newId } from '@impact-hub/core';
import { makeEvent, signRequest } from '@impact-hub/impact-in';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

let hub: TestHub;
let environment: Record<string, string>;
beforeAll(async () => {
  hub = await createTestHub();
  const { key } = await hub.key(await hub.company());
  const address = await hub.server.listen({ host: '127.0.0.1', port: 0 });
  environment = { HUB_URL: address, HUB_API_KEY: key };
});
afterAll(() => hub.close());

const run = (...args: string[]) => runHubCommand(args, environment);

test('a refused request is found by the id its sender was told, explained, and taken once its secret is known', async () => {
  const made = await run('endpoints', 'create', '--partner', 'benevity', '--name', 'Giving');
  const { 0: url = '', 1: endpointId = '' } = /https?:\S+\/benevity\/([0-9a-f-]{36})/.exec(made.stderr) ?? [];
  const { body } = makeEvent('benevity', { seed: newId(), nowMs: Date.now() });
  const secret = `whsec_${Buffer.from(newId()).toString('base64')}`;
  const { headers } = signRequest({ scheme: 'benevity-hmac', secret, body, nowMs: Date.now() });
  const answer = await fetch(`${environment['HUB_URL']}${new URL(url).pathname}`, {
    method: 'POST',
    headers,
    body: body as never,
  });
  expect(answer.status).toBe(401);
  const { requestId } = (await answer.json()) as { requestId: string };
  await vi.waitFor(async () => {
    expect(await hub.database.owner`select 1 from impact_in_receipt where outcome = 'rejected'`).toHaveLength(1);
  });
  const listed = await run('receipts', 'list', '--request-id', requestId, '--not-taken', '--last', '1h');
  const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(listed.stdout)?.[0] ?? '';
  expect(listed.stdout).toContain('signature_mismatch');
  const [shown, explained, refused, unclear] = await Promise.all([
    run('receipts', 'show', id),
    run('receipts', 'explain', id),
    run('receipts', 'reverify', id),
    run('receipts', 'reverify', '--outcome', 'rejected'),
  ]);
  expect(shown.stdout).toMatch(new RegExp(`endpoint +${endpointId}`));
  expect(explained.stdout).toContain('failed');
  expect([refused.code, refused.stdout]).toEqual([1, expect.stringMatching(/refused +1/)]);
  expect([unclear.code, unclear.stderr]).toEqual([2, expect.stringContaining('--last or --from')]);
  const dry = await run('receipts', 'reverify', '--outcome', 'rejected', '--last', '1h', '--dry-run');
  expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining(id)]);
});

test('what there is not is said, and what is no id is refused without a call', async () => {
  const [none, absent, noId] = await Promise.all([
    run('receipts', 'list', '--partner', 'workday'),
    run('receipts', 'show', newId()),
    run('receipts', 'explain', 'nonsense'),
  ]);
  expect([none.code, none.stderr]).toEqual([0, 'There is no such receipt.\n']);
  expect([absent.code, absent.stderr]).toEqual([1, expect.stringContaining('hub receipts list')]);
  expect(noId.code).toBe(2);
});
