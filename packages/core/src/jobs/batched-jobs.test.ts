import { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner, PermanentJobError } from '../module/define-job.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { enqueueJob } from './enqueue-job.ts';
import { groupSizesOf } from './group-sizes.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';
import { runGroup } from './run-group.ts';
import type { JobResult } from './run-job.ts';
import { modulesOf, useEffectStores } from './test-jobs.ts';

const log = createLogger({ level: 'silent' });
const [companyA, companyB] = [newId(), newId()].toSorted() as [string, string];

const { database, store, producer, stops } = await useEffectStores();

/** Sizes of the batches that were run, and numbers that were run alone. */
let batches: { company: string | null; size: number }[] = [];
let alone: number[] = [];
const failures: { n: number; willRetry: boolean }[] = [];
let poison: number | undefined;
let refused: number | undefined;
beforeEach(() => {
  batches = [];
  alone = [];
  failures.length = 0;
  poison = undefined;
  refused = undefined;
});

const job = jobDefiner<object>()({
  name: 'test.batched',
  payload: z.object({ n: z.number().int() }),
  concurrency: 1,
  handler: async ({ tx, payload: { n } }) => {
    alone.push(n);
    await tx.sql`insert into effect (company_id, n) values (${tx.companyId}, ${n})`;
    if (n === poison || n === refused) throw new PermanentJobError('poison');
  },
  batch: {
    size: 10,
    handler: async ({ tx, jobs, companyId }) => {
      batches.push({ company: companyId, size: jobs.length });
      const fine = jobs.filter(({ payload }) => payload.n !== refused);
      for (const { payload } of fine)
        await tx.sql`insert into effect (company_id, n) values (${tx.companyId}, ${payload.n})`;
      if (jobs.some(({ payload }) => payload.n === poison)) throw new Error('poisoned');
      return jobs
        .filter((each) => !fine.includes(each))
        .map(({ jobId }) => ({ jobId, error: new PermanentJobError('refused') }));
    },
  },
  onFailure: async ({ payload, willRetry }) => void failures.push({ n: payload.n, willRetry }),
});
const modules = modulesOf(job);

const relay = async (more: { leaseSeconds?: number; windowJobs?: number } = {}) => {
  const started = await startRelay({
    sql: database.db.systemSql,
    redis: producer,
    log,
    sweepIntervalMs: 50,
    groupSizes: groupSizesOf(modules),
    ...more,
  });
  stops.push(() => started.stop());
};
const work = () => {
  const redis = new Redis(store.url, { maxRetriesPerRequest: null });
  const workers = startJobWorkers({ modules, db: database.db, redis, log, metrics: createJobMetrics(createMetrics()) });
  stops.push(async () => {
    await workers.stop();
    redis.disconnect();
  });
};
const enqueue = (count: number, company = companyA, from = 0) =>
  database.db.company(company, async (tx) => {
    for (let n = from; n < from + count; n += 1) await enqueueJob(tx, job, { n });
  });
const effects = async (company = companyA): Promise<number[]> =>
  (await database.owner<{ n: number }[]>`select n from effect where company_id = ${company} order by n`).map(
    (row) => row.n,
  );
const countOf = async (state: string): Promise<number> =>
  (await database.owner`select 1 from job where state = ${state}`).length;
const untilDrained = () =>
  expect.poll(() => database.owner`select 1 from job where state <> 'dead'`, { timeout: 15_000 }).toHaveLength(0);
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

/** Marks every job as dispatched, and returns the group as BullMQ would hold it. */
const dispatchAll = async (set: { lost?: number } = {}) => {
  const rows = await database.owner<{ id: string; generation: number }[]>`
    update job set state = 'dispatched', generation = 1, dispatch = gen_random_uuid(),
      lost_dispatches = ${set.lost ?? 0}, lease_until = now() + interval '1 minute'
    returning id, generation, payload->>'n' as n`;
  return { companyId: companyA, jobs: rows.map(({ id, generation }) => ({ id, generation, traceparent: null })) };
};
const run = async (group: Awaited<ReturnType<typeof dispatchAll>>): Promise<Record<string, number>> => {
  const outcomes: Record<string, number> = {};
  const count = (_: unknown, { outcome }: JobResult) => void (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1);
  const signal = new AbortController().signal;
  await runGroup({ db: database.db, job, deps: {}, group, signal, random: () => 0 }, count);
  return outcomes;
};

test('jobs of one company run together, up to the size of a batch, never with those of another', async () => {
  await enqueue(25, companyA);
  await enqueue(5, companyB, 100);
  await relay();
  work();
  await untilDrained();
  expect(await effects(companyA)).toEqual(upTo(25));
  expect(await effects(companyB)).toEqual([100, 101, 102, 103, 104]);
  expect(batches.map(({ size }) => size).toSorted((a, b) => a - b)).toEqual([5, 5, 10, 10]);
  expect(batches.filter(({ company }) => company === companyB)).toEqual([{ company: companyB, size: 5 }]);
  expect(alone).toEqual([]);
});

test('one job that makes its batch fail is the only one that fails', async () => {
  poison = 3;
  await enqueue(10);
  expect(await run(await dispatchAll())).toEqual({ done: 9, dead: 1 });
  expect(await effects()).toEqual(upTo(10).filter((n) => n !== 3));
  expect(failures).toEqual([{ n: 3, willRetry: false }]);
  expect(await countOf('dead')).toBe(1);
});

test('a job whose batch refuses it fails without the others being run again', async () => {
  refused = 3;
  await enqueue(10);
  expect(await run(await dispatchAll())).toEqual({ done: 9, dead: 1 });
  expect(await effects()).toEqual(upTo(10).filter((n) => n !== 3));
  expect(failures).toEqual([{ n: 3, willRetry: false }]);
  expect(alone).toEqual([]);
});

test('a payload that does not fit fails alone', async () => {
  await enqueue(3);
  await database.owner`update job set payload = '{"n": "two"}' where payload->>'n' = '2'`;
  expect(await run(await dispatchAll())).toEqual({ done: 2, retrying: 1 });
  expect(await effects()).toEqual([0, 1]);
});

test('a group that arrives several times at once has each effect once', async () => {
  await enqueue(10);
  const group = await dispatchAll();
  await Promise.all([run(group), run(group), run(group)]);
  expect(await run(group)).toEqual({ stale: 10 });
  expect(await effects()).toEqual(upTo(10));
});

test('of a group whose jobs have partly been dispatched again, only the others run', async () => {
  await enqueue(4);
  const group = await dispatchAll();
  await database.owner`update job set generation = 2 where payload->>'n' in ('1', '2')`;
  expect(await run(group)).toEqual({ done: 2, stale: 2 });
  expect(await effects()).toEqual([0, 3]);
});

test('a batch whose worker died is dispatched again one by one, and each loss is counted once', async () => {
  await enqueue(10);
  await relay({ leaseSeconds: 1 });
  await expect.poll(() => countOf('dispatched')).toBe(10);
  await store.redis.flushdb();
  await expect
    .poll(() => database.owner`select 1 from job where generation = 2 and lost_dispatches = 1`, { timeout: 5_000 })
    .toHaveLength(10);
  work();
  await untilDrained();
  expect(await effects()).toEqual(upTo(10));
  expect(batches).toEqual([]);
});

test('jobs that were lost too often are set aside, their neighbours in a group run', async () => {
  await enqueue(2);
  await dispatchAll({ lost: 20 });
  await enqueue(2, companyA, 2);
  await database.owner`update job set state = 'dispatched', generation = 1 where state = 'queued'`;
  const rows = await database.owner<{ id: string; generation: number }[]>`select id, generation from job`;
  const jobs = rows.map(({ id, generation }) => ({ id, generation, traceparent: null }));
  expect(await run({ companyId: companyA, jobs })).toEqual({ done: 2, dead: 2 });
  expect(await effects()).toEqual([2, 3]);
});

test('no more is handed over than the window holds, while nobody works', async () => {
  await relay({ windowJobs: 30 });
  await enqueue(200);
  await expect.poll(() => countOf('dispatched')).toBe(30);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await countOf('dispatched')).toBe(30);
  work();
  await untilDrained();
  expect(await effects()).toEqual(upTo(200));
});

test('a company with a backlog delays nobody else: another one waits for what was handed over, not for what is queued', async () => {
  await relay({ windowJobs: 30 });
  await enqueue(500, companyA);
  await expect.poll(() => countOf('dispatched')).toBe(30);
  await enqueue(5, companyB);
  work();
  await untilDrained();
  const [row] = await database.owner<{ before: number }[]>`
    select count(*)::int as before from effect
    where at < (select max(at) from effect where company_id = ${companyB}) and company_id = ${companyA}`;
  // The window, the group under way, and the group that takes its turn with B's.
  expect(row?.before).toBeLessThanOrEqual(50);
  expect(await effects(companyA)).toEqual(upTo(500));
});

test('a lane with a backlog delays no other lane of its company, and both are run together', async () => {
  const [laneA, laneB] = [newId(), newId()];
  await enqueue(300);
  await database.owner`update job set lane = ${laneA}`;
  await relay({ windowJobs: 30 });
  await expect.poll(() => countOf('dispatched')).toBe(30);
  await database.owner`
    insert into job (id, company_id, lane, queue, payload)
    select gen_random_uuid(), ${companyA}, ${laneB}, ${job.name}, jsonb_build_object('n', n)
    from generate_series(1001, 1005) as n`;
  work();
  await untilDrained();
  const [row] = await database.owner<{ before: number }[]>`
    select count(*)::int as before from effect where at < (select max(at) from effect where n > 1000) and n < 1000`;
  expect(row?.before).toBeLessThanOrEqual(60);
  expect(batches.every(({ size }) => size === 10 || size === 5)).toBe(true);
});

test('every company gets its turn when more of them wait than one turn serves', async () => {
  const companies = Array.from({ length: 150 }, () => newId());
  for (const company of companies) await enqueue(2, company);
  await enqueue(100, companyA);
  await relay();
  work();
  await untilDrained();
  const [row] = await database.owner<{ companies: number; effects: number }[]>`
    select count(distinct company_id)::int as companies, count(*)::int as effects from effect`;
  expect(row).toEqual({ companies: 151, effects: 400 });
});

test('jobs that are due later do not keep others from their turn', async () => {
  await database.db.company(companyA, (tx) =>
    enqueueJob(tx, job, { n: 1 }, { runAt: new Date(Date.now() + 3_600_000) }),
  );
  await enqueue(3, companyB);
  await database.db.system((tx) =>
    enqueueJob(tx, job, { n: 7 }, { companyId: null, runAt: new Date(Date.now() + 60_000) }),
  );
  await relay();
  work();
  await expect.poll(() => effects(companyB)).toEqual([0, 1, 2]);
  expect(await countOf('queued')).toBe(2);
});
