import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Database } from '../database/connect-database.ts';
import type { Job } from '../module/define-job.ts';
import type { BoundModule } from '../module/define-module.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { JobMetrics } from '../telemetry/metrics.ts';
import { closeWorkers } from './close-workers.ts';
import { queueName, queuePrefix, type Dispatch } from './queue-names.ts';
import { reportOutages } from './report-outages.ts';
import { reportRun } from './report-run.ts';
import { runJob } from './run-job.ts';

export type JobWorkers = {
  /** Resolves when the jobs under way have ended; takes at most about a second more, whether Redis answers or not. */
  stop(): Promise<void>;
};

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
  const { db, redis, log, random = Math.random } = options;
  const abort = new AbortController();
  const runs = new Set<Promise<void>>();
  const watch = reportOutages(log, abort.signal);

  const run = async (job: Job<never, unknown>, deps: unknown, dispatch: Dispatch): Promise<void> => {
    const startedAtMs = performance.now();
    const result = await runJob({ db, job, deps, dispatch, signal: abort.signal, random });
    reportRun(options, { job: job.name, dispatch, result, durationMs: performance.now() - startedAtMs });
  };

  const workers = options.modules.flatMap(({ module, deps }) =>
    module.jobs.map((job) => {
      const process = async ({ data }: { data: Dispatch }): Promise<void> => {
        const running = run(job, deps, data).finally(() => runs.delete(running));
        runs.add(running);
        await running;
      };
      const worker = new Worker<Dispatch>(queueName(job.name), process, {
        connection: redis,
        prefix: queuePrefix,
        concurrency: job.concurrency ?? 8,
        removeOnComplete: { count: 0 },
        removeOnFail: { count: 0 },
      });
      watch(worker);
      return worker;
    }),
  );
  return {
    stop: async () => {
      // Jobs under way may finish; the signal only tells those that wait for something outside.
      abort.abort();
      await closeWorkers(workers, redis, runs);
    },
  };
};
