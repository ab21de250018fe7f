import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner } from '../module/define-job.ts';
import { bindModule, defineModule } from '../module/define-module.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { claimQueued, giveBack } from './claim-jobs.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';

const companyId = newId();
let database: TestDatabase;
let store: TestRedis;
beforeAll(async () => {
  database = await createTestDatabase();
  store = await createTestRedis();
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

let handled = 0;
const failures: { willRetry: boolean; company: string | null }[] = [];
const job = jobDefiner<object>()({
  name: 'test.killer',
  payload: z.object({ thingId: z.uuid() }),
  handler: async () => {
    handled += 1;
  },
  onFailure: async ({ tx, willRetry }) => {
    const [row] = await tx.sql<{ company: string }[]>`select hub_company_id() as company`;
    failures.push({ willRetry, company: row?.company ?? null });
  },
});

/** Runs relay and workers until no job is left but dead ones; returns the log's lines about jobs and the metrics. */
const runToTheEnd = async () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = createMetrics();
  const relayRedis = new Redis(store.url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  const redis = new Redis(store.url, { maxRetriesPerRequest: null });
  const relay = await startRelay({ sql: database.db.systemSql, redis: relayRedis, log, sweepIntervalMs: 25 });
  const modules = [bindModule(defineModule<object>({ name: 'test', jobs: [job] }), {})];
  const workers = startJobWorkers({ modules, db: database.db, redis, log, metrics: createJobMetrics(metrics) });
  await expect.poll(() => database.owner`select 1 from job where state <> 'dead'`, { timeout: 10_000 }).toHaveLength(0);
  await workers.stop();
  await relay.stop();
  redis.disconnect();
  relayRedis.disconnect();
  return { lines: lines.filter((line) => line['event'] === 'job'), metrics: await metrics.metrics() };
};

const thingId = newId();
let jobId = '';
beforeEach(async () => {
  handled = 0;
  failures.length = 0;
  await database.owner`truncate job`;
  jobId = await database.db.company(companyId, (tx) => enqueueJob(tx, job, { thingId }));
});
/** As if the job had been dispatched, and the worker that took it had died, this many times before. */
const lose = (times: number) => database.owner`
  update job set state = 'dispatched', generation = generation + 1, lost_dispatches = ${times},
    lease_until = now() - interval '1 second'`;

test('a job lost once after many dispatches that never reached Redis is still run', async () => {
  const sql = database.db.systemSql;
  for (let pass = 0; pass < 25; pass += 1) await giveBack(sql, await claimQueued(sql, 60, 10));
  await lose(0);
  await runToTheEnd();
  expect(handled).toBe(1);
  expect(await database.owner`select 1 from job`).toHaveLength(0);
});

test('a job that keeps ending its worker is set aside unrun: its domain, the log and the metrics tell', async () => {
  await lose(19);
  const { lines, metrics } = await runToTheEnd();
  expect(handled).toBe(0);
  expect(failures).toEqual([{ willRetry: false, company: companyId }]);
  const [row] = await database.owner`select state, last_error, finished_at from job`;
  expect(row).toMatchObject({
    state: 'dead',
    last_error: expect.stringContaining('worker'),
    finished_at: expect.any(Date),
  });
  expect(lines).toMatchObject([{ level: 'error', outcome: 'dead', jobId, job: 'test.killer' }]);
  expect(metrics).toContain('jobs_total{job="test.killer",outcome="dead"} 1');
});

test('a job that was lost less often is run', async () => {
  await lose(18);
  await runToTheEnd();
  expect(handled).toBe(1);
});
