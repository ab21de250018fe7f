import type { Claimed } from './claim-jobs.ts';

const groupBy = <T>(items: readonly T[], keyOf: (item: T) => string | null): T[][] => {
  const groups = new Map<string | null, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
};

/** Claimed jobs by queue. */
export const byQueue = (claimed: readonly Claimed[]): Map<string, Claimed[]> =>
  new Map(groupBy(claimed, (job) => job.queue).map((jobs) => [jobs[0]?.queue ?? '', jobs]));

/** The groups of one queue in the order they are to be run: first one of each company, then the second of each, … */
export const inTurns = (claimed: readonly Claimed[]): Claimed[][] => {
  const ofCompanies = groupBy(claimed, (job) => job.company_id).map((jobs) => groupBy(jobs, (job) => job.dispatch));
  const most = Math.max(0, ...ofCompanies.map((groups) => groups.length));
  return Array.from({ length: most }, (_, turn) =>
    ofCompanies.flatMap((groups) => groups.slice(turn, turn + 1)),
  ).flat();
};
