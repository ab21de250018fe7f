/**
 * What one process does. `gateway` serves HTTP; `worker` runs jobs, the relay and the leader's schedules, and serves
 * only the system routes; `all` is both. Scale by starting more of either against the same stores.
 */
export const targets = ['all', 'gateway', 'worker'] as const;

export type Target = (typeof targets)[number];

export const servesApi = (target: Target): boolean => target !== 'worker';
export const runsJobs = (target: Target): boolean => target !== 'gateway';
