import type { z } from 'zod';
import type { Tx } from '../database/transaction.ts';

export type JobContext<P, D> = {
  payload: P;
  deps: D;
  /** The job's own transaction, in its company's context: effects written here commit together with the job's end. */
  tx: Tx;
  jobId: string;
  companyId: string | null;
  /** 1 on the first try. */
  attempt: number;
  /** Aborted when the process shuts down. */
  signal: AbortSignal;
};

export type BatchedJob<P> = Pick<JobContext<P, never>, 'jobId' | 'payload' | 'attempt'>;

/** Several jobs of one company in one transaction. */
export type BatchContext<P, D> = Pick<JobContext<P, D>, 'deps' | 'tx' | 'companyId' | 'signal'> & {
  jobs: readonly BatchedJob<P>[];
};

/** Why one job of a batch failed while the others did not. */
export type BatchFailure = { jobId: string; error: unknown };

export type JobFailure<P, D> = Omit<JobContext<P, D>, 'signal'> & { error: unknown; willRetry: boolean };

export type Job<P = never, D = never> = {
  /** `domain.action`, unique over the hub; also the name of its BullMQ queue. */
  name: string;
  /** Ids only, never personal data: BullMQ and logs show payloads. */
  payload: z.ZodType;
  handler(context: JobContext<P, D>): Promise<void>;
  /**
   * Runs several jobs at once, with the same effects as `handler` has one after the other. Its effects and the end of
   * the jobs commit together. When it throws, nothing has happened, and the jobs are run one by one by `handler`, so
   * that one cannot fail its neighbours.
   */
  batch?: {
    /** At most so many. */
    size: number;
    /** @returns the jobs for which it wrote nothing, because of a fault of their own; they count as failed attempts */
    handler(context: BatchContext<P, D>): Promise<readonly BatchFailure[]>;
  };
  /** Called in a transaction of its own after a failed attempt, so that the domain's row can tell the state. */
  onFailure?(failure: JobFailure<P, D>): Promise<void>;
  /** Delay in seconds before attempt 2, 3, …; after the last one the job is dead. Full jitter is applied. */
  retryDelaysSeconds: readonly number[];
  /** Jobs of this kind that one worker process runs at once. */
  concurrency?: number;
};

/** 5 s to 24 h in eight steps: the schedule of docs/architecture.md for work that should outlive a partner's outage. */
export const defaultRetryDelaysSeconds: readonly number[] = [5, 30, 120, 600, 3_600, 21_600, 43_200, 86_400];

type JobSpec<S extends z.ZodType, D> = Omit<Job<z.output<S>, D>, 'payload' | 'retryDelaysSeconds'> & {
  payload: S;
  retryDelaysSeconds?: readonly number[];
};

/** Makes the `defineJob` of one domain: `const defineJob = jobDefiner<ImpactInDeps>()`. */
export const jobDefiner =
  <D>() =>
  <S extends z.ZodType>(spec: JobSpec<S, D>): Job<z.output<S>, D> => ({
    retryDelaysSeconds: defaultRetryDelaysSeconds,
    ...spec,
  });

/** Thrown by a job when trying again cannot help (bad data, mapping error): the job is dead at once. */
export class PermanentJobError extends Error {
  override readonly name = 'PermanentJobError';
}
