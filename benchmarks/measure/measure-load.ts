import { cpuSecondsOf } from './cpu-time.ts';
import type { LoadResult } from './generate-load.ts';
import type { PreparedLoad } from './load-process.ts';

export type Measured = LoadResult & { serverCpuUs: number; postgresCpuUs: number };

/** Runs a load and says what one request cost the server's process and PostgreSQL, in microseconds of CPU. */
export const measureLoad = async (
  load: PreparedLoad,
  pids: { server: number; postgres: number },
): Promise<Measured> => {
  const before = { server: cpuSecondsOf(pids.server), postgres: cpuSecondsOf(pids.postgres) };
  const result = await load.run();
  const perRequest = (used: number): number => (used * 1e6) / result.requests;
  return {
    ...result,
    serverCpuUs: perRequest(cpuSecondsOf(pids.server) - before.server),
    postgresCpuUs: perRequest(cpuSecondsOf(pids.postgres) - before.postgres),
  };
};

/** @throws Error when anything but these statuses came, or an answer is missing */
export const requireOnly = (result: LoadResult, statuses: readonly string[], what: string): void => {
  const others = Object.entries(result.statuses).filter(([status]) => !statuses.includes(status));
  if (others.length > 0 || result.unanswered > 0)
    throw new Error(`${what}: ${JSON.stringify(Object.fromEntries(others))} answers, ${result.unanswered} unanswered`);
};
