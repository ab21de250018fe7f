import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Database } from '../database/connect-database.ts';
import type { Job } from '../module/define-job.ts';
import type { BoundModule } from '../module/define-module.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { JobMetrics } from '../telemetry/metrics.ts';
import { closeWorkers } from './close-workers.ts';
import { queueName, queuePrefix, type DispatchGroup } from './queue-names.ts';
import { reportOutages } from './report-outages.ts';
import { reportRun } from './report-run.ts';
import { runGroup } from './run-group.ts';

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

  const run = (job: Job<never, unknown>, deps: unknown, group: DispatchGroup): Promise<void> =>
    runGroup({ db, job, deps, group, signal: abort.signal, random }, (dispatch, result, durationMs) =>
      reportRun(options, { job: job.name, dispatch, result, durationMs }),
    );

  const workers = options.modules.flatMap(({ module, deps }) =>
    module.jobs.map((job) => {
      const process = async ({ data }: { data: DispatchGroup }): Promise<void> => {
        const running = run(job, deps, data).finally(() => runs.delete(running));
        runs.add(running);
        await running;
      };
      const worker = new Worker<DispatchGroup>(queueName(job.name), process, {
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
