import { createTestDatabase, createTestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeEach } from 'vitest';
import type { Job } from '../module/define-job.ts';
import { bindModule, defineModule } from '../module/define-module.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';

type JobStores = Awaited<ReturnType<typeof useJobStores>>;

/** The stores of one test file, to be awaited at its top; given back after its last test. */
export const useJobStores = async () => {
  const [database, store] = await Promise.all([createTestDatabase(), createTestRedis()]);
  afterAll(() => Promise.all([store.close(), database.drop()]));
  return { database, store };
};

/**
 * Stores, empty before each test, with a table `effect` for what jobs do, in the order of their doing.
 * @returns also the relays' connection, and `stops`: run after each test, the last one first
 */
export const useEffectStores = async () => {
  const { database, store } = await useJobStores();
  const producer = connectRelay(store.url);
  afterAll(() => producer.disconnect());
  await database.owner.unsafe(`
    create table effect (at serial, company_id uuid not null, n int not null);
    alter table effect enable row level security;
    create policy effect_company on effect to hub_runtime using (company_id = hub_company_id()) with check (company_id = hub_company_id());
    grant select, insert on effect to hub_runtime;
    grant usage on sequence effect_at_seq to hub_runtime`);
  beforeEach(async () => {
    await database.owner`truncate effect, job`;
    await store.redis.flushdb();
  });
  const stops: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).toReversed()) await stop();
  });
  return { database, store, producer, stops };
};

/** Modules with nothing but these jobs. */
export const modulesOf = (...jobs: Job<never, object>[]) => [
  bindModule(defineModule<object>({ name: 'test', jobs }), {}),
];

/** A log that keeps its lines. */
export const recordingLog = (level = 'info') => {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: createLogger({ level }, { write: (line) => void lines.push(JSON.parse(line)) }) };
};

/** A connection as relays have it: a command fails at once when there is no Redis. */
export const connectRelay = (url: string, more: { commandTimeout?: number } = {}): Redis => {
  const redis = new Redis(url, { enableOfflineQueue: false, maxRetriesPerRequest: 1, ...more });
  redis.on('error', () => undefined);
  return redis;
};

/**
 * Relay and workers of a process.
 * @returns `stop`, which gives the lines about jobs and the metrics
 */
export const startJobs = async ({ database, store }: JobStores, job: Job<never, object>) => {
  const { lines, log } = recordingLog();
  const metrics = createMetrics();
  const relayRedis = connectRelay(store.url);
  const redis = new Redis(store.url, { maxRetriesPerRequest: null });
  const relay = await startRelay({ sql: database.db.systemSql, redis: relayRedis, log, sweepIntervalMs: 25 });
  const modules = modulesOf(job);
  const workers = startJobWorkers({ modules, db: database.db, redis, log, metrics: createJobMetrics(metrics) });
  const jobLines = () => lines.filter((line) => line['event'] === 'job');
  return {
    jobLines,
    stop: async () => {
      await workers.stop();
      await relay.stop();
      redis.disconnect();
      relayRedis.disconnect();
      return { lines: jobLines(), metrics: await metrics.metrics() };
    },
  };
};
