import {
  createJobMetrics,
  electLeader,
  groupSizesOf,
  registerJobBacklog,
  runSchedules,
  startJobWorkers,
  startRelay,
  systemClock,
  type BoundModule,
  type Database,
  type Logger,
  type MetricsRegistry,
  type ShutdownPhase,
} from '@impact-hub/core';
import { registerRecordMetrics } from '@impact-hub/gateway';
import type { Redis } from 'ioredis';
import { orNull } from './operations/read-in-time.ts';
import { readIdempotencyRecords, readJobBacklog } from './operations/read-stores.ts';
import { connectBlockingRedis } from './stores/connect-redis.ts';

type Options = {
  db: Database;
  modules: readonly BoundModule[];
  redis: Redis;
  redisUrl: string;
  jobLeaseSeconds: number;
  log: Logger;
  metrics: MetricsRegistry;
};

/** Starts what the modules do without end. @returns the ends of it */
const startServices = async (modules: readonly BoundModule[]): Promise<ShutdownPhase[]> => {
  const phases: ShutdownPhase[] = [];
  for (const { module, deps } of modules)
    for (const { name, start } of module.services) {
      const { stop } = await start(deps);
      phases.push({ name, timeoutMs: 20_000, run: stop });
    }
  return phases;
};

/** Starts relay, job workers, services and the leader election. @returns the phases that end them, in order */
export const startWorkers = async (options: Options): Promise<ShutdownPhase[]> => {
  const { db, modules, redis, log, metrics } = options;
  registerJobBacklog(metrics, () => readJobBacklog(db.systemSql));
  registerRecordMetrics(metrics, { clock: systemClock }, () => orNull(readIdempotencyRecords(db.systemSql)));
  const relay = await startRelay({
    sql: db.systemSql,
    redis,
    log,
    leaseSeconds: options.jobLeaseSeconds,
    groupSizes: groupSizesOf(modules),
  });
  const blockingRedis = connectBlockingRedis(options.redisUrl);
  const workers = startJobWorkers({ modules, db, redis: blockingRedis, log, metrics: createJobMetrics(metrics) });
  const services = await startServices(modules);
  const leadership = electLeader({
    sql: db.systemSql,
    name: 'schedules',
    log,
    onElected: (signal) => runSchedules(modules, log, signal),
  });
  return [
    { name: 'leader', timeoutMs: 10_000, run: () => leadership.stop() },
    { name: 'relay', timeoutMs: 10_000, run: () => relay.stop() },
    ...services,
    {
      name: 'jobs',
      timeoutMs: 20_000,
      run: async () => {
        await workers.stop();
        blockingRedis.disconnect();
      },
    },
  ];
};
