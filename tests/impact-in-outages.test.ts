import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { flushRedis } from './support/flush-redis.ts';
import { connectPartner, createStage, type Answer, type Stage } from './support/outage-stage.ts';

/** Real processes on a machine that may be busy. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 120_000 });

/** The hub decides within 3 s; the rest is for a busy machine. */
const boundMs = 5_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let stage: Stage;
let connection: { id: string };
let orderIds: string[];
beforeAll(async () => {
  stage = await createStage();
  connection = await connectPartner(stage);
});
afterAll(() => stage.close());

const longest = (answers: readonly Answer[]): number => Math.max(...answers.map(({ ms }) => ms));
const statuses = (answers: readonly Answer[]): number[] => [...new Set(answers.map(({ status }) => status))];
const say = (text: string): void => void process.stdout.write(`  ${text}\n`);

const storedOf = async (answers: readonly Answer[]): Promise<number> => {
  const ids = answers.map(({ receiptId }) => receiptId ?? '');
  const [row] = await stage.sql<{ n: number }[]>`
    select count(*)::int as n from impact_in_receipt where id = any(${ids}::uuid[])`;
  return row?.n ?? 0;
};

type Sent = { status: string; attempts: number; attemptLog: { result: string }[] };
const readOrder = (id: string): Promise<Sent> => stage.call('GET', `/deliveries/${id}`);

/** As many as one connection may have under way at once. */
const lateCalls = 4;

test('while a partner keeps every call waiting, what comes in is processed', async () => {
  stage.standIns.inject(...Array<'hangAfterCommit'>(lateCalls).fill('hangAfterCommit'));
  const payload = { activity: 'Reading', hours: 1, occurredAt: '2026-03-01T12:00:00Z' };
  const orders = Array.from({ length: lateCalls }, () => ({ connectionId: connection.id, payload }));
  const { data } = await stage.call<{ data: { id: string }[] }>('POST', '/deliveries/batch', { deliveries: orders });
  orderIds = data.map(({ id }) => id);
  await expect.poll(() => stage.standIns.records().length, { timeout: 20_000 }).toBe(lateCalls);
  const { events, answers } = await stage.sendMany(100, 'late partner');
  expect(statuses(answers)).toEqual([200]);
  expect(await stage.recount(events)).toEqual([]);
  const orderedAre = await Promise.all(orderIds.map(readOrder));
  expect(orderedAre.map(({ status, attemptLog }) => [status, attemptLog[0]?.result])).toEqual(
    orderIds.map(() => ['pending', 'started']),
  );
});

test('with Redis, the warehouse and the partners gone or hanging, every webhook is answered 200 after its commit', async () => {
  await stage.redis.kill();
  await stage.warehouse.end();
  const gone = await stage.sendMany(50, 'all gone');
  expect(statuses(gone.answers)).toEqual([200]);
  expect(await storedOf(gone.answers)).toBe(50);
  await stage.warehouse.hang();
  await stage.redis.restart();
  stage.redis.freeze();
  const hanging = await stage.sendMany(50, 'all hanging');
  expect(statuses(hanging.answers)).toEqual([200]);
  expect(await storedOf(hanging.answers)).toBe(50);
  say(`longest answer: ${longest(gone.answers).toFixed(0)} ms gone, ${longest(hanging.answers).toFixed(0)} ms hanging`);
  expect(Math.max(longest(gone.answers), longest(hanging.answers))).toBeLessThan(boundMs);
  stage.redis.thaw();
  expect(await stage.recount([...gone.events, ...hanging.events])).toEqual([]);
});

test('a partner that had kept the event and answered too late is asked again, and has it once', async () => {
  await expect
    .poll(async () => (await Promise.all(orderIds.map(readOrder))).map(({ status }) => status), { timeout: 45_000 })
    .toEqual(orderIds.map(() => 'success'));
  expect(stage.standIns.records()).toHaveLength(lateCalls);
  const orders = await Promise.all(orderIds.map(readOrder));
  for (const { attemptLog } of orders) {
    expect(attemptLog[0]).toMatchObject({ result: 'unknown' });
    expect(attemptLog.at(-1)).toMatchObject({ result: 'success' });
  }
  expect(stage.standIns.calls()).toHaveLength(orders.reduce((sum, { attempts }) => sum + attempts, 0));
});

/**
 * Ends or freezes PostgreSQL, sees every webhook refused in time, and sends all of it again afterwards.
 *
 * @returns what became of events that were not stored and processed exactly once
 */
const seeRefusals = async (seed: string, begin: () => Promise<void>, end: () => Promise<void>): Promise<unknown[]> => {
  const before = await stage.sendMany(20, `${seed} before`);
  await begin();
  const during = await stage.sendMany(30, `${seed} during`);
  await pause(500);
  const later = await stage.sendMany(30, `${seed} later`);
  const refused = [...during.answers, ...later.answers];
  say(`${seed}: ${refused.length} answered within ${longest(refused).toFixed(0)} ms`);
  expect(statuses(refused)).toEqual([503]);
  expect(refused.filter(({ retryAfter }) => !(retryAfter >= 1))).toEqual([]);
  expect(longest(refused)).toBeLessThan(boundMs);
  await end();
  let open = [...during.events, ...later.events];
  for (const giveUpAtMs = performance.now() + 30_000; open.length > 0 && performance.now() < giveUpAtMs;) {
    const answers = await Promise.all(open.map(stage.send));
    open = open.filter((_event, index) => answers[index]?.status !== 200);
    if (open.length > 0) await pause(200);
  }
  expect(open).toEqual([]);
  return stage.recount([...before.events, ...during.events, ...later.events]);
};

test('with PostgreSQL killed every webhook is refused in time with 503, and nothing is lost or done twice', async () => {
  expect(await seeRefusals('killed', stage.postgres.kill, stage.postgres.restart)).toEqual([]);
});

test('with PostgreSQL hanging every webhook is refused in time with 503, and nothing is lost or done twice', async () => {
  expect(await seeRefusals('hanging', stage.postgres.freeze, stage.postgres.thaw)).toEqual([]);
});

/** Keeps every batch from writing, as a lock does that somebody holds; resolves when one waits for it. */
const holdBatches = async (work: () => Promise<void>): Promise<void> => {
  const holder = await stage.sql.reserve();
  try {
    await holder`begin`;
    await holder`lock table impact_in_delivery in share mode`;
    await work();
  } finally {
    await holder`rollback`.catch(() => undefined);
    holder.release();
  }
};
const aBatchWaits = async (): Promise<number> => {
  const [row] = await stage.sql<{ n: number }[]>`
    select count(*)::int as n from pg_stat_activity
    where wait_event_type = 'Lock' and query ilike '%impact_in_delivery%' and datname = current_database()`;
  return row?.n ?? 0;
};

const sendAndWaitForBatch = async (seed: string) => {
  const { events, answers } = await stage.sendMany(200, seed);
  expect(statuses(answers)).toEqual([200]);
  await expect.poll(aBatchWaits, { timeout: 20_000 }).toBeGreaterThan(0);
  return events;
};

test('a worker killed in the middle of a batch: the next one does all of it, once', async () => {
  let events: { eventId: string }[] = [];
  await holdBatches(async () => {
    events = await sendAndWaitForBatch('worker killed');
    await stage.killWorker();
  });
  await stage.startWorker();
  expect(await stage.recount(events)).toEqual([]);
});

test('PostgreSQL restarted in the middle of a batch: all of it is done once', async () => {
  let events: { eventId: string }[] = [];
  await holdBatches(async () => {
    events = await sendAndWaitForBatch('database restarted');
    await stage.postgres.kill();
    await stage.postgres.restart();
  });
  expect(await stage.recount(events)).toEqual([]);
});

test('Redis emptied in the middle of a backlog: all of it is done once', async () => {
  let events: { eventId: string }[] = [];
  await holdBatches(async () => {
    events = await sendAndWaitForBatch('redis emptied');
    await flushRedis(stage.redis.url);
  });
  expect(await stage.recount(events)).toEqual([]);
});
