import { runGroup, type Job } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { processReceiptJob } from '../inbox/store-receipts.ts';
import { jobs } from '../jobs.ts';
import { eventOf, sendSigned, useTestHub, type TestHub } from '../test-hub.ts';
import { faultyDatabase, type Fault } from './test-faults.ts';

const hub = await useTestHub();
const companyId = await hub.addCompany();
const endpoint = await hub.addEndpoint(companyId, { partner: 'goodera' });

const job = jobs.find(({ name }) => name === processReceiptJob) as unknown as Job<never, unknown>;

let rounds = 0;
/** Acknowledged events: two entities with an open and a closing event each, and two more. */
const receiveSome = async (): Promise<string[]> => {
  rounds += 1;
  const t = Date.now() - 60_000;
  const events = [
    ['data.received', 'a', t],
    ['data.processed', 'a', t + 1_000],
    ['data.received', 'b', t],
    ['data.failed', 'b', t + 1_000],
    ['data.processed', 'c', t],
    ['data.received', 'd', t],
  ] as const;
  const ids: string[] = [];
  for (const [eventType, entity, nowMs] of events) {
    const event = eventOf('goodera', `${rounds} ${eventType} ${entity}`, {
      eventType,
      correlationId: `${rounds} ${entity}`,
      nowMs,
    });
    ids.push((await sendSigned(hub, endpoint, event.body)).json<{ receiptId: string }>().receiptId);
  }
  return ids;
};

/** As the relay does with what is due, and with what was lost. @returns the dispatched jobs */
const dispatch = () => hub.owner<{ id: string; generation: number }[]>`
  update job set state = 'dispatched', generation = generation + 1, lease_until = now() + interval '1 minute'
  where state <> 'dead' and queue = ${processReceiptJob} returning id, generation`;

const work = async (db: TestHub['db'], claimed: Awaited<ReturnType<typeof dispatch>>): Promise<string[]> => {
  const outcomes: string[] = [];
  const group = { companyId, jobs: claimed.map(({ id, generation }) => ({ id, generation, traceparent: null })) };
  const signal = new AbortController().signal;
  await runGroup({ db, job, deps: hub.impactIn.deps, group, signal, random: () => 0 }, (_, { outcome }) =>
    outcomes.push(outcome),
  );
  return outcomes;
};

/** Lets workers that meet faults work, then one that does not, and looks at what there is in the end. */
const surviving = async (workers: readonly (readonly Fault[])[]) => {
  const ids = await receiveSome();
  for (const faults of workers) await work(faultyDatabase(hub.db, hub.owner, faults).db, await dispatch());
  for (let rest = await dispatch(); rest.length > 0; rest = await dispatch()) await work(hub.db, rest);
  const rows = await hub.owner<Record<string, unknown>[]>`
    select d.status, d.outcome in ('applied', 'superseded') as processed,
      (select count(*)::int from impact_in_attempt a where a.delivery_id = d.id) = d.attempts as numbered,
      (select count(*)::int from impact_in_attempt a where a.delivery_id = d.id and result = 'success') as successes,
      (select count(*)::int from audit_event e where e.resource_id = d.id::text
        and e.type = 'impact_in.event.processed') as audits
    from impact_in_delivery d where d.id = any(${ids}::uuid[]) order by d.correlation_id, d.occurred_at`;
  return { rows, jobs: await hub.owner`select id, state, last_error from job where id = any(${ids}::uuid[])` };
};

const once = { processed: true, numbered: true, successes: 1, audits: 1 };
const expected = {
  rows: ['success', 'success', 'failed', 'failed', 'success', 'pending'].map((status) => ({ status, ...once })),
  jobs: [],
};

/** Steps of a batch that meets no fault. */
const countSteps = async (): Promise<number> => {
  await receiveSome();
  const counted = faultyDatabase(hub.db, hub.owner, []);
  expect(await work(counted.db, await dispatch())).toEqual(Array(6).fill('done'));
  return counted.steps();
};

test.each([
  ['its connection ends', 'break', 'before'],
  ['its connection ends', 'break', 'after'],
  ['the worker dies', 'die', 'before'],
  ['the worker dies', 'die', 'after'],
] as const)('every event has one effect when %s (%s) %s any step of its batch', async (_, kind, when) => {
  const steps = await countSteps();
  expect(steps).toBeGreaterThan(6);
  for (let at = 1; at <= steps; at += 1)
    expect({ at, ...(await surviving([[{ at, when, kind }]])) }).toEqual({ at, ...expected });
});

/** mulberry32, as everywhere where a schedule has to be repeatable. */
const randomOf = (seed: number) => {
  let state = seed;
  return (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
};

test('every event has one effect whatever several workers in turn meet, in batches and alone', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const random = randomOf(seed);
    // A batch that fails is run one by one: up to some fifty steps in all.
    const workers = Array.from({ length: 1 + random(3) }, () =>
      Array.from({ length: 1 + random(3) }, (): Fault => ({
        at: 1 + random(50),
        when: random(2) === 0 ? 'before' : 'after',
        kind: random(3) === 0 ? 'die' : 'break',
      })),
    );
    expect({ seed, workers, ...(await surviving(workers)) }).toEqual({ seed, workers, ...expected });
  }
});

test('a group that two workers got has one effect for each event, whatever one of them meets', async () => {
  const steps = await countSteps();
  for (let at = 1; at <= steps; at += 1) {
    const ids = await receiveSome();
    const claimed = await dispatch();
    await Promise.all([
      work(faultyDatabase(hub.db, hub.owner, [{ at, when: 'after', kind: 'break' }]).db, claimed),
      work(hub.db, claimed),
    ]);
    for (let rest = await dispatch(); rest.length > 0; rest = await dispatch()) await work(hub.db, rest);
    const [row] = await hub.owner`
      select count(*)::int as deliveries, count(distinct d.id)::int as events,
        (select count(*)::int from impact_in_attempt where result = 'success' and delivery_id = any(${ids}::uuid[])) as successes,
        (select count(*)::int from audit_event where resource_id = any(${ids}::text[])
          and type = 'impact_in.event.processed') as audits
      from impact_in_delivery d where d.id = any(${ids}::uuid[])`;
    expect({ at, ...row }).toEqual({ at, deliveries: 6, events: 6, successes: 6, audits: 6 });
  }
});
