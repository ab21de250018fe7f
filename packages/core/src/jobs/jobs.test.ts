import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner, PermanentJobError } from '../module/define-job.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobWorkers } from './job-workers.ts';
import { queuePrefix } from './queue-names.ts';
import { startRelay } from './relay.ts';
import { runJob } from './run-job.ts';
import { modulesOf, useEffectStores } from './test-jobs.ts';

const log = createLogger({ level: 'silent' });
const companyId = newId();

const { database, store, producer, stops } = await useEffectStores();

let failuresLeft = 0;
let failWith: () => Error = () => new Error('not yet');
const outcomes: boolean[] = [];
const defineJob = jobDefiner<object>();
const job = defineJob({
  name: 'test.effect',
  payload: z.object({ n: z.number().int() }),
  retryDelaysSeconds: [0.01, 0.01],
  handler: async ({ tx, payload }) => {
    await tx.sql`insert into effect (company_id, n) values (${tx.companyId}, ${payload.n})`;
    if (failuresLeft > 0) {
      failuresLeft -= 1;
      throw failWith();
    }
  },
  onFailure: async ({ willRetry }) => {
    outcomes.push(willRetry);
  },
});
const modules = modulesOf(job);

const relay = async (leaseSeconds = 60) => {
  const started = await startRelay({
    sql: database.db.systemSql,
    redis: producer,
    log,
    leaseSeconds,
    sweepIntervalMs: 50,
  });
  stops.push(() => started.stop());
  return started;
};
const work = () => {
  const redis = new Redis(store.url, { maxRetriesPerRequest: null });
  const workers = startJobWorkers({
    modules,
    db: database.db,
    redis,
    log,
    metrics: createJobMetrics(createMetrics()),
  });
  stops.push(async () => {
    await workers.stop();
    redis.disconnect();
  });
};
const enqueue = (count: number) =>
  database.db.company(companyId, async (tx) => {
    for (let n = 0; n < count; n += 1) await enqueueJob(tx, job, { n });
  });
const effects = async (): Promise<number[]> =>
  (await database.owner<{ n: number }[]>`select n from effect order by n`).map((row) => row.n);
const until = async (condition: () => Promise<boolean>): Promise<void> => {
  const deadlineMs = performance.now() + 15_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error('the condition was not met in time');
    await pause(25);
  }
};
const drained = async () => (await database.owner`select 1 from job where state <> 'dead' limit 1`).length === 0;
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

test('a rolled-back transaction leaves no job', async () => {
  const attempt = database.db.company(companyId, async (tx) => {
    await enqueueJob(tx, job, { n: 1 });
    throw new Error('changed my mind');
  });
  await expect(attempt).rejects.toThrow('changed my mind');
  expect(await database.owner`select 1 from job`).toHaveLength(0);
});

test('every job has its effect exactly once with two relays at once', async () => {
  await relay();
  await relay();
  work();
  await enqueue(200);
  await until(drained);
  expect(await effects()).toEqual(upTo(200));
});

test('losing everything in Redis delays jobs and loses none', async () => {
  await relay(1);
  await enqueue(50);
  await until(async () => (await database.owner`select 1 from job where state = 'queued'`).length === 0);
  await store.redis.flushdb();
  work();
  await until(drained);
  expect(await effects()).toEqual(upTo(50));
});

test('a relay that died between its claim and Redis loses nothing', async () => {
  await enqueue(5);
  await database.owner`update job set state = 'dispatched', generation = 1, lease_until = now() - interval '1 second'`;
  await relay();
  work();
  await until(drained);
  expect(await effects()).toEqual(upTo(5));
});

test('a dispatch that arrives twice has one effect', async () => {
  await enqueue(1);
  const [row] = await database.owner<{ id: string }[]>`
    update job set state = 'dispatched', generation = 1, lease_until = now() + interval '1 minute' returning id`;
  const run = () =>
    runJob({
      db: database.db,
      job,
      deps: {},
      dispatch: { id: row?.id ?? '', generation: 1, companyId, traceparent: null },
      signal: new AbortController().signal,
      random: () => 0,
    });
  const results = await Promise.all([run(), run(), run()]);
  expect(results.map((result) => result.outcome).sort()).toEqual(['done', 'stale', 'stale']);
  expect(await effects()).toEqual([0]);
});

test('a dispatch of an older generation does nothing', async () => {
  await enqueue(1);
  const [row] = await database.owner<
    { id: string }[]
  >`update job set state = 'dispatched', generation = 2 returning id`;
  const dispatch = { id: row?.id ?? '', generation: 1, companyId, traceparent: null };
  const signal = new AbortController().signal;
  const result = await runJob({ db: database.db, job, deps: {}, dispatch, signal, random: () => 0 });
  expect(result.outcome).toBe('stale');
  expect(await effects()).toEqual([]);
});

test('a dispatch that names another company finds nothing', async () => {
  await enqueue(1);
  const [row] = await database.owner<
    { id: string }[]
  >`update job set state = 'dispatched', generation = 1 returning id`;
  const dispatch = { id: row?.id ?? '', generation: 1, companyId: newId(), traceparent: null };
  const signal = new AbortController().signal;
  const result = await runJob({ db: database.db, job, deps: {}, dispatch, signal, random: () => 0 });
  expect(result.outcome).toBe('stale');
});

test('a failed attempt leaves no effect and is tried again', async () => {
  failuresLeft = 2;
  await relay();
  work();
  await enqueue(1);
  await until(drained);
  expect(await effects()).toEqual([0]);
});

test('a job whose schedule is used up is dead, with its last error, and tells its domain', async () => {
  failuresLeft = 3;
  outcomes.length = 0;
  await relay();
  work();
  await enqueue(1);
  await until(async () => (await database.owner`select 1 from job where state = 'dead'`).length === 1);
  const [row] = await database.owner`select attempts, last_error from job`;
  expect(row).toMatchObject({ attempts: 3, last_error: 'Error: not yet' });
  expect(outcomes).toEqual([true, true, false]);
});

test('a permanent error is not tried again', async () => {
  failuresLeft = 1;
  failWith = () => new PermanentJobError('no such event');
  await relay();
  work();
  await enqueue(1);
  await until(async () => (await database.owner`select 1 from job where state = 'dead'`).length === 1);
  expect(await effects()).toEqual([]);
  failWith = () => new Error('not yet');
});

test('a backlog that outlives its leases waits for its turn: none is dispatched twice, none dies of waiting', async () => {
  await relay(1);
  await enqueue(30);
  // Three leases long nobody works.
  await pause(3_500);
  const generations = await database.owner`select generation, state, count(*)::int as jobs from job group by 1, 2`;
  expect(generations).toEqual([{ generation: 1, state: 'dispatched', jobs: 30 }]);
  work();
  await until(drained);
  expect(await effects()).toEqual(upTo(30));
});

test('a job whose worker died with it is dispatched again after its lease', async () => {
  await relay(1);
  await enqueue(1);
  await until(async () => (await database.owner`select 1 from job where state = 'dispatched'`).length === 1);
  // What a killed worker leaves in Redis: the job is active, with a lock that lasts for another half minute.
  const dead = new Worker('test.effect', null, { connection: store.redis, prefix: queuePrefix });
  expect(await dead.getNextJob('dead')).toBeDefined();
  await dead.close(true);
  work();
  await until(drained);
  expect(await effects()).toEqual([0]);
});

test('Redis out of reach leaves jobs queued, and they run once it is back', async () => {
  producer.disconnect();
  await relay();
  work();
  await enqueue(3);
  await pause(200);
  expect(await effects()).toEqual([]);
  await producer.connect();
  await until(drained);
  expect(await effects()).toEqual(upTo(3));
});
