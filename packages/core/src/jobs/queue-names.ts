/** Hash tag so that all keys of one queue live in one Redis Cluster slot (BullMQ needs that for its scripts). */
export const queuePrefix = '{hub}';

/** BullMQ refuses ':' in queue names; job names use '.', which is fine. */
export const queueName = (jobName: string): string => jobName;

/** One dispatch of one job: ids only. The company is a hint; row-level security decides what the worker can lock. */
export type Dispatch = { id: string; generation: number; companyId: string | null; traceparent: string | null };

/**
 * What BullMQ holds: jobs of one queue and company that are dispatched together, under a name that is never used again,
 * because BullMQ silently ignores a re-added id it still keeps (bull #1828).
 */
export type DispatchGroup = { companyId: string | null; jobs: Omit<Dispatch, 'companyId'>[] };
