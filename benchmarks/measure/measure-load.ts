import { cpuSecondsOf } from './cpu-time.ts';
import type { LoadResult } from './generate-load.ts';
import type { PreparedLoad } from './load-process.ts';

export type Measured = LoadResult & { serverCpuUs: number; postgresCpuUs: number; redisCpuUs: number };

/** Runs a load and says what one request cost the server's process and the stores, in microseconds of CPU. */
export const measureLoad = async (
  load: PreparedLoad,
  pids: { server: number; postgres: number; redis?: number },
): Promise<Measured> => {
  const usedBy = (pid: number | undefined): number => (pid === undefined ? 0 : cpuSecondsOf(pid));
  const read = () => ({ server: usedBy(pids.server), postgres: usedBy(pids.postgres), redis: usedBy(pids.redis) });
  const before = read();
  const result = await load.run();
  const perRequest = (used: number): number => (used * 1e6) / result.requests;
  const after = read();
  return {
    ...result,
    serverCpuUs: perRequest(after.server - before.server),
    postgresCpuUs: perRequest(after.postgres - before.postgres),
    redisCpuUs: perRequest(after.redis - before.redis),
  };
};

/** @throws Error when anything but these statuses came, or an answer is missing */
export const requireOnly = (result: LoadResult, statuses: readonly string[], what: string): void => {
  const others = Object.entries(result.statuses).filter(([status]) => !statuses.includes(status));
  if (others.length > 0 || result.unanswered > 0)
    throw new Error(`${what}: ${JSON.stringify(Object.fromEntries(others))} answers, ${result.unanswered} unanswered`);
};
