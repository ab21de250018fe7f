import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { jobDefiner } from '../module/define-job.ts';
import { bindModule, defineModule } from '../module/define-module.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { enqueueJob } from './enqueue-job.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';

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
beforeEach(() => {
  failWith = undefined;
});

let failWith: Error | undefined;
const job = jobDefiner<object>()({
  name: 'test.line',
  payload: z.object({ thingId: z.uuid(), name: z.string() }),
  handler: async () => {
    if (failWith !== undefined) throw failWith;
  },
  onFailure: async () => {
    throw new Error('the database is gone');
  },
});

/** Runs one dispatch of a new job; returns the lines it left in the log and the metrics. */
const runOnce = async (payload: { thingId: string; name: string }) => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const metrics = createMetrics();
  const relayRedis = new Redis(store.url, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  const redis = new Redis(store.url, { maxRetriesPerRequest: null });
  const relay = await startRelay({ sql: database.db.systemSql, redis: relayRedis, log, sweepIntervalMs: 25 });
  const modules = [bindModule(defineModule<object>({ name: 'test', jobs: [job] }), {})];
  const workers = startJobWorkers({ modules, db: database.db, redis, log, metrics: createJobMetrics(metrics) });
  const jobId = await database.db.company(newId(), (tx) => enqueueJob(tx, job, payload));
  await expect.poll(() => lines.filter((line) => line['event'] === 'job'), { timeout: 5_000 }).not.toHaveLength(0);
  await workers.stop();
  await relay.stop();
  redis.disconnect();
  relayRedis.disconnect();
  return { jobId, lines: lines.filter((line) => line['event'] === 'job'), metrics: await metrics.metrics() };
};

test('the line of a job names the ids of its payload, and nothing else of it', async () => {
  const thingId = newId();
  const { jobId, lines } = await runOnce({ thingId, name: 'Ada Lovelace' });
  expect(lines).toMatchObject([{ level: 'info', outcome: 'done', jobId, ids: { thingId } }]);
  expect(JSON.stringify(lines)).not.toContain('Ada');
});

test('a run whose failure cannot be recorded leaves one line and one count, and its job stays', async () => {
  failWith = new Error('handler broke');
  const { jobId, lines, metrics } = await runOnce({ thingId: newId(), name: 'x' });
  expect(lines).toMatchObject([{ level: 'error', outcome: 'error', jobId }]);
  const message = JSON.stringify(lines[0]?.['err']);
  expect(message).toContain('handler broke');
  expect(message).toContain('the database is gone');
  expect(metrics).toContain('jobs_total{job="test.line",outcome="error"} 1');
  expect(await database.owner`select state, attempts from job where id = ${jobId}`).toEqual([
    { state: 'dispatched', attempts: 0 },
  ]);
});
