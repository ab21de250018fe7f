import { newId } from '@impact-hub/core';
import { controlledClock } from '@impact-hub/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import { useTestHub, type TestEndpoint } from '../test-hub.ts';
import { crashingDatabase } from './crashing-database.ts';
import { forgetItems } from './forget-items.ts';
import { replayLimits } from './replay.ts';
import { deliver, deliverDead, post, start, statusOf, type Problem } from './test-replays.ts';
import { chooseToStart, workReplays } from './work-replays.ts';

let companyId: string;
let endpoint: TestEndpoint;
const clock = controlledClock();
const hub = await useTestHub({ clock });
beforeEach(async () => {
  clock.setMs(Date.now());
  companyId = await hub.addCompany();
  endpoint = await hub.addEndpoint(companyId, { partner: 'benevity' });
  await hub.owner`delete from job`;
  await hub.owner`update impact_in_replay set state = 'cancelled' where state in ('waiting', 'running')`;
});

const tick = (db = hub.db): Promise<void> => workReplays({ ...hub.impactIn.deps, db }, new AbortController().signal);
const since = '2026-01-01T00:00:00Z';
/** Deliveries have arrived by real time; a replay takes none that arrive after it. */
const startWindow = (more: object = {}, company = companyId) => {
  clock.setMs(Math.max(clock.nowMs(), Date.now()));
  return start(hub, company, '/deliveries/bulk-replay', { from: since, ...more });
};

/** Processed deliveries without a receipt: applying them again fails, which is all the same to the order of things. */
const addDeliveries = async (count: number): Promise<string[]> => {
  const ids = Array.from({ length: count }, () => newId());
  await hub.owner`
    insert into impact_in_delivery (id, company_id, direction, partner, event_type, status, reported, outcome, attempts,
      received_at, processed_at)
    select id, ${companyId}, 'inbound', 'benevity', 'delivery.success', 'success', 'success', 'applied', 1, now(), now()
    from unnest(${ids}::uuid[]) as id`;
  return ids;
};
const doneOf = async (id: string): Promise<number> => (await statusOf(hub, companyId, id)).done;

describe('the rate', () => {
  test('bounds what is begun per second, and unused rate is kept for two seconds only', async () => {
    await addDeliveries(60);
    const { id } = await startWindow({ ratePerSecond: 10 });
    await tick();
    expect(await doneOf(id)).toBe(10);
    await tick();
    expect(await doneOf(id)).toBe(10);
    clock.advanceMs(500);
    await tick();
    expect(await doneOf(id)).toBe(15);
    clock.advanceMs(60_000);
    await tick();
    expect(await doneOf(id)).toBe(35);
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'running', selected: 60, failed: 35 });
  });

  test('of one in two seconds worth of ticks is reached, though no tick brings a whole one', async () => {
    await addDeliveries(5);
    const { id } = await startWindow({ ratePerSecond: 1 });
    for (let n = 0; n < 6; n += 1) {
      await tick();
      clock.advanceMs(400);
    }
    expect(await doneOf(id)).toBe(3);
  });

  test('larger than a batch is worked in several transactions', async () => {
    await addDeliveries(250);
    const { id } = await startWindow({ ratePerSecond: 1_000 });
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'done', failed: 250 });
  });
});

describe('a replay', () => {
  test('tells its progress: counts, rate, and when it will have ended', async () => {
    await addDeliveries(40);
    const { id } = await startWindow({ ratePerSecond: 10, reason: 'Mapping fixed' });
    for (let n = 0; n < 2; n += 1) {
      await tick();
      clock.advanceMs(1_000);
    }
    await tick();
    const told = await statusOf(hub, companyId, id);
    expect(told).toMatchObject({
      state: 'running',
      selected: 40,
      done: 30,
      failed: 30,
      rate: 10,
      reason: 'Mapping fixed',
      requestedBy: { kind: 'api_key', id: 'testkey00000' },
      filter: { from: '2026-01-01T00:00:00.000Z' },
      finishedAt: null,
    });
    expect(told.eta).toBe(new Date(clock.nowMs() + 1_000).toISOString());
    expect(told.failures.data).toHaveLength(20);
    expect(told.failures.nextCursor).not.toBeNull();
  });

  test('is as fast after a pause as it was before, and tells so', async () => {
    await addDeliveries(60);
    const { id } = await startWindow({ ratePerSecond: 10 });
    for (let n = 0; n < 4; n += 1) {
      await tick();
      clock.advanceMs(1_000);
      await post(hub, companyId, `/replays/${id}/pause`);
      clock.advanceMs(60_000);
      await post(hub, companyId, `/replays/${id}/resume`);
    }
    const told = await statusOf(hub, companyId, id);
    expect(told.rate).toBe(10);
    expect(told.done).toBeGreaterThan(20);
  });

  test('pauses, goes on where it stopped, and is cancelled for good', async () => {
    await addDeliveries(30);
    const { id } = await startWindow({ ratePerSecond: 10 });
    await tick();
    const change = async (verb: string) => (await post(hub, companyId, `/replays/${id}/${verb}`)).statusCode;
    expect(await change('pause')).toBe(200);
    clock.advanceMs(1_000);
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'paused', done: 10 });
    expect([await change('pause'), await change('resume')]).toEqual([200, 200]);
    await tick();
    expect(await doneOf(id)).toBe(20);
    expect([await change('cancel'), await change('cancel')]).toEqual([200, 200]);
    clock.advanceMs(1_000);
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'cancelled', done: 20, eta: null });
    const refused = await post(hub, companyId, `/replays/${id}/resume`);
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([409, 'impact_in.replay_state_refuses']);
    const events = await hub.owner`select type from audit_event where resource_id = ${id} order by id`;
    expect(events.map(({ type }) => type)).toEqual(
      ['created', 'paused', 'resumed', 'cancelled'].map((what) => `impact_in.replay.${what}`),
    );
  });

  test('waits for the one of its company before it, and for nobody else', async () => {
    await addDeliveries(20);
    const [first, second] = [await startWindow({ ratePerSecond: 10 }), await startWindow({ ratePerSecond: 10 })];
    const other = await hub.addCompany();
    const theirs = await startWindow({}, other);
    await tick();
    expect(await statusOf(hub, companyId, first.id)).toMatchObject({ state: 'running', done: 10 });
    expect(await statusOf(hub, companyId, second.id)).toMatchObject({ state: 'waiting', done: 0 });
    expect(await statusOf(hub, other, theirs.id)).toMatchObject({ state: 'done', selected: 0 });
    clock.advanceMs(1_000);
    await tick();
    await tick();
    expect(await statusOf(hub, companyId, first.id)).toMatchObject({ state: 'done' });
    expect(await statusOf(hub, companyId, second.id)).toMatchObject({ state: 'running', done: 10 });
  });

  test('is refused when too many of the company wait', async () => {
    for (let n = 0; n <= replayLimits.waitingPerCompany; n += 1) await startWindow();
    const refused = await post(hub, companyId, '/deliveries/bulk-replay', { from: since });
    expect([refused.statusCode, refused.json<Problem>().code]).toEqual([409, 'impact_in.too_many_replays']);
  });

  test('of any size is written down in parts, each delivery once', async () => {
    await addDeliveries(50);
    const { id } = await startWindow();
    await hub.owner`update impact_in_replay set is_selected = false, selected = 10, selected_to_at = (
        select received_at from impact_in_delivery where company_id = ${companyId} order by received_at, id offset 9 limit 1),
      selected_to_id = (
        select id from impact_in_delivery where company_id = ${companyId} order by received_at, id offset 9 limit 1)
      where id = ${id}`;
    await hub.owner`delete from impact_in_replay_item where replay_id = ${id} and delivery_id not in (
      select id from impact_in_delivery where company_id = ${companyId} order by received_at, id limit 10)`;
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({
      state: 'done',
      selected: 50,
      isSelected: true,
      failed: 50,
    });
  });

  test('gives way while live traffic is behind, and says so', async () => {
    await deliver(hub, endpoint, 'live');
    const { id } = await startWindow();
    await hub.owner`
      insert into job (id, company_id, queue, payload)
      select gen_random_uuid(), ${companyId}, 'test.nothing', '{}' from generate_series(1, ${replayLimits.liveBacklog + 1})`;
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'running', heldBy: 'live_traffic', done: 0 });
    await hub.owner`delete from job`;
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'done', heldBy: null, succeeded: 1 });
  });

  test('is not held up by one delivery that the database refuses', async () => {
    const ids = await addDeliveries(7);
    await hub.owner.unsafe(`
      create function refuse_one() returns trigger language plpgsql as $$ begin
        if new.delivery_id = '${ids[3]}' then raise exception 'no' using errcode = '22021'; end if; return new; end $$;
      create trigger refuse_one before insert on impact_in_attempt for each row execute function refuse_one()`);
    const { id } = await startWindow();
    await tick();
    await hub.owner.unsafe('drop function refuse_one cascade');
    const told = await statusOf(hub, companyId, id);
    expect(told).toMatchObject({ state: 'done', selected: 7, failed: 7 });
    expect(told.failures.data.find(({ deliveryId }) => deliveryId === ids[3])?.reason).toContain('22021');
  });

  test('whose steps fail says why, goes on when they work again, and fails after a quarter of an hour', async () => {
    await addDeliveries(3);
    const { id } = await startWindow();
    const broken = () => tick(crashingDatabase(hub.db, { afterCalls: 4, afterCommit: false }));
    await broken();
    clock.advanceMs(replayLimits.failingMs / 2);
    await broken();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'waiting', lastError: 'Crash', done: 0 });
    clock.advanceMs(replayLimits.failingMs / 2 + 1);
    await broken();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'failed', lastError: 'Crash', done: 0 });
    expect((await post(hub, companyId, `/replays/${id}/resume`)).statusCode).toBe(200);
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'done', failed: 3, lastError: null });
  });

  test('does not wait for a job that says nothing for an hour', async () => {
    const { id: deliveryId, mend } = await deliverDead(hub, endpoint, 'silent');
    await mend();
    const { id } = await startWindow();
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'running', inFlight: 1, done: 0 });
    clock.advanceMs(replayLimits.silentMs + 1);
    await tick();
    expect(await statusOf(hub, companyId, id)).toMatchObject({
      state: 'done',
      failures: { data: [{ deliveryId, reason: expect.stringContaining('within an hour') }] },
    });
  });

  test('keeps its counts when its single deliveries are forgotten, 30 days after its end', async () => {
    await addDeliveries(2);
    const { id } = await startWindow();
    await tick();
    await forgetItems(hub);
    const items = async () => (await hub.owner`select 1 from impact_in_replay_item where replay_id = ${id}`).length;
    expect(await items()).toBe(2);
    await hub.owner`update impact_in_replay set finished_at = now() - interval '31 days' where id = ${id}`;
    await forgetItems(hub);
    expect(await items()).toBe(0);
    expect(await statusOf(hub, companyId, id)).toMatchObject({ state: 'done', selected: 2, failed: 2 });
  });
});

test('of each company the oldest leaves the queue, and only as many as may run at once', () => {
  const replay = (n: number, company: number, state: 'waiting' | 'running' = 'waiting') =>
    ({ id: `r${n}`, companyId: `c${company}`, kind: 'window', state }) as const;
  expect([...chooseToStart([replay(1, 1, 'running'), replay(2, 1), replay(3, 2), replay(4, 2)])]).toEqual(['r3']);
  const many = Array.from({ length: 20 }, (_, n) => replay(n, n));
  expect(chooseToStart(many).size).toBe(replayLimits.runningAtOnce);
});

test('the figures tell replays by state, items by outcome, the success rate and the oldest that is running', async () => {
  await hub.owner`delete from impact_in_replay`;
  for (let n = 0; n < 3; n += 1) await deliver(hub, endpoint, `figure ${n}`);
  await addDeliveries(1);
  await startWindow();
  await startWindow();
  await tick();
  const text = await hub.metrics.metrics();
  const figure = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  expect(figure('impact_in_replay_success_ratio')).toBe(0.75);
  expect(figure('impact_in_replays\\{state="waiting"\\}')).toBe(1);
  expect(figure('impact_in_replays\\{state="running"\\}')).toBe(0);
  expect(figure('impact_in_replay_oldest_running_seconds')).toBe(0);
  expect(figure('impact_in_replay_items_total\\{outcome="succeeded"\\}')).toBeGreaterThanOrEqual(3);
  expect(figure('impact_in_replay_items_total\\{outcome="failed"\\}')).toBeGreaterThanOrEqual(1);
});
