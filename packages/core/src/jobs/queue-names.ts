/** Hash tag so that all keys of one queue live in one Redis Cluster slot (BullMQ needs that for its scripts). */
export const queuePrefix = '{hub}';

/** BullMQ refuses ':' in queue names; job names use '.', which is fine. */
export const queueName = (jobName: string): string => jobName;

/**
 * BullMQ silently ignores a re-added id it still keeps (bull #1828), so every dispatch has a name of its own.
 */
export const dispatchId = (jobId: string, generation: number): string => `${jobId}-${generation}`;

/** What BullMQ holds of a job: ids only. The company is a hint; row-level security decides what the worker can lock. */
export type Dispatch = { id: string; generation: number; companyId: string | null; traceparent: string | null };
