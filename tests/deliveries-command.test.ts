import { newId } from '@impact-hub/core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { runHubCommand } from './support/hub-process.ts';
import { createTestHub, type TestHub } from './support/test-hub.ts';

/** Every command is a process; several at once want their time on a busy machine. */
vi.setConfig({ testTimeout: 90_000 });

let hub: TestHub;
let address: string;
let key: string;
let companyId: string;
const ids: string[] = [];

/** A delivery whose receipt is gone: applying it again fails, at once. */
const addDelivery = async (): Promise<string> => {
  const id = newId();
  await hub.database.owner`
    insert into impact_in_delivery (id, company_id, direction, partner, event_type, status, reported, outcome, attempts,
      received_at, processed_at)
    values (${id}, ${companyId}, 'inbound', 'benevity', 'delivery.success', 'failed', 'failed', 'applied', 1, now(), now())`;
  return id;
};

beforeAll(async () => {
  hub = await createTestHub();
  companyId = await hub.company();
  key = (await hub.key(companyId)).key;
  address = await hub.server.listen({ host: '127.0.0.1', port: 0 });
  for (let n = 0; n < 3; n += 1) ids.push(await addDelivery());
});
afterAll(() => hub.close());

const deliveries = (args: readonly string[]) =>
  runHubCommand(['deliveries', ...args], { HUB_URL: address, HUB_API_KEY: key });

test('deliveries are listed and shown, and say what there is not', async () => {
  const [listed, shown, none, wrong, absent] = await Promise.all([
    deliveries(['list', '--status', 'failed', '--limit', '2']),
    deliveries(['show', ids[0] ?? '']),
    deliveries(['list', '--partner', 'workday']),
    deliveries(['show', 'nonsense']),
    deliveries(['show', newId()]),
  ]);
  expect(listed.stdout).toContain(ids[2]);
  expect(listed.stdout).not.toContain(ids[0]);
  expect(listed.stderr).toContain('more than 2');
  expect(shown.stdout).toMatch(/status +failed/);
  expect([none.code, none.stderr]).toEqual([0, 'There is no such delivery.\n']);
  expect([wrong.code, absent.code]).toEqual([2, 1]);
  expect(absent.stderr).toContain('See which there are: hub deliveries list.');
});

test('a dry run counts, and what is chosen unclearly is refused without a call', async () => {
  const [dry, json, nothing, both, badPartner] = await Promise.all([
    deliveries(['replay', '--last', '1h', '--dry-run']),
    deliveries(['replay', '--failed', '--dry-run', '--json']),
    deliveries(['replay']),
    deliveries(['replay', ids[0] ?? '', '--last', '1h']),
    deliveries(['replay', '--last', '1h', '--partner', 'nobody']),
  ]);
  expect(dry.stdout).toMatch(/would be replayed +3/);
  expect(JSON.parse(json.stdout)).toMatchObject({ dryRun: true, selected: 3 });
  expect([nothing.code, both.code, badPartner.code]).toEqual([2, 2, 1]);
  expect(badPartner.stderr).toContain('--partner');
  expect(await hub.database.owner`select 1 from impact_in_replay`).toHaveLength(0);
});

test('a replay is started, followed, listed, explained, paused and cancelled', async () => {
  const one = await deliveries(['replay', ids[0] ?? '', '--reason', 'Looked wrong']);
  expect(one.code, one.stderr).toBe(1);
  expect(one.stdout).toMatch(/progress +done: 1 of 1 \(100 %\), 1 failed/);
  const id = /replay +([0-9a-f-]{36})/.exec(one.stdout)?.[1] ?? '';
  expect(one.stderr).toContain(`hub deliveries replays failures ${id}`);
  const [failures, waiting] = await Promise.all([
    deliveries(['replays', 'failures', id]),
    deliveries(['replay', ids[1] ?? '', ids[2] ?? '', '--detach']),
  ]);
  expect(failures.stdout).toContain('its bytes are no longer stored');
  const second = waiting.stdout.trim();
  const [listed, paused] = [await deliveries(['replays']), await deliveries(['replays', 'pause', second])];
  expect(listed.stdout).toMatch(new RegExp(`${second} .*waiting`));
  expect(listed.stdout).toContain('Looked wrong');
  expect(paused.stdout).toBe(`Replay ${second} is paused.\n`);
  const shown = await deliveries(['replays', 'show', second, '--follow']);
  expect(shown.stderr).toContain(`hub deliveries replays resume ${second}`);
  expect((await deliveries(['replays', 'cancel', second])).stdout).toBe(`Replay ${second} is cancelled.\n`);
  const again = await deliveries(['replays', 'resume', second]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('Start another one: hub deliveries replay.')]);
});

test('a named delivery that is skipped is told with the reason, and ends with 1', async () => {
  const sent = await addDelivery();
  await hub.database.owner`
    update impact_in_delivery set direction = 'outbound', status = 'success' where id = ${sent}`;
  const ended = await deliveries(['replay', sent]);
  expect([ended.code, ended.stdout]).toEqual([1, expect.stringMatching(new RegExp(`Skipped:[^]*${sent} +\\w`))]);
});
