import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll } from 'vitest';
import type { Job } from '../module/define-job.ts';
import { bindModule, defineModule } from '../module/define-module.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createJobMetrics, createMetrics } from '../telemetry/metrics.ts';
import { startJobWorkers } from './job-workers.ts';
import { startRelay } from './relay.ts';

/** The stores of one test file; filled before its first test, given back after its last. */
export const useJobStores = (): { database: TestDatabase; store: TestRedis } => {
  const stores = {} as { database: TestDatabase; store: TestRedis };
  beforeAll(async () => {
    [stores.database, stores.store] = await Promise.all([createTestDatabase(), createTestRedis()]);
  });
  afterAll(async () => {
    await Promise.all([stores.store.close(), stores.database.drop()]);
  });
  return stores;
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
export const startJobs = async (
  { database, store }: { database: TestDatabase; store: TestRedis },
  job: Job<never, object>,
) => {
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
