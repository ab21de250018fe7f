import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Database } from '../database/connect-database.ts';
import type { BoundModule } from '../module/define-module.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { JobMetrics } from '../telemetry/metrics.ts';
import { queueName, queuePrefix, type Dispatch } from './queue-names.ts';
import { reportRun } from './report-run.ts';
import { runJob } from './run-job.ts';

export type JobWorkers = { stop(): Promise<void> };

type Options = {
  modules: readonly BoundModule[];
  db: Database;
  /** Blocking connection: `maxRetriesPerRequest: null`, as BullMQ requires. */
  redis: Redis;
  log: Logger;
  metrics: JobMetrics;
  random?: () => number;
};

/** Starts one BullMQ worker per job of the modules. Postgres holds the truth; BullMQ only says "now". */
export const startJobWorkers = (options: Options): JobWorkers => {
  const { db, log, random = Math.random } = options;
  const abort = new AbortController();
  const workers = options.modules.flatMap(({ module, deps }) =>
    module.jobs.map((job) => {
      const worker = new Worker<Dispatch>(
        queueName(job.name),
        async ({ data }) => {
          const startedAtMs = performance.now();
          const result = await runJob({ db, job, deps, dispatch: data, signal: abort.signal, random });
          reportRun(options, { job: job.name, dispatch: data, result, durationMs: performance.now() - startedAtMs });
        },
        {
          connection: options.redis,
          prefix: queuePrefix,
          concurrency: job.concurrency ?? 8,
          removeOnComplete: { count: 0 },
          removeOnFail: { count: 0 },
        },
      );
      worker.on('error', (error) => log.warn({ event: 'worker.error', job: job.name, err: error }, 'worker error'));
      return worker;
    }),
  );
  return {
    stop: async () => {
      // Jobs under way may finish; the signal only tells those that wait for something outside.
      abort.abort();
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
};
