import type { BoundModule } from '@impact-hub/core';

export type ReadinessReport = {
  status: 'ready' | 'degraded' | 'unavailable';
  checks: { name: string; ok: boolean; critical: boolean; message?: string }[];
};

const checkTimeoutMs = 2_000;

const withTimeout = (work: Promise<void>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${checkTimeoutMs} ms`)), checkTimeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};

/** Runs the checks of all modules side by side. Messages are the checks' own plain words, never a driver's. */
export const runReadinessChecks = async (modules: readonly BoundModule[]): Promise<ReadinessReport> => {
  const checks = await Promise.all(
    modules.flatMap(({ module, deps }) =>
      module.checks.map(async ({ name, critical, run }) => {
        try {
          await withTimeout(run(deps));
          return { name, critical, ok: true };
        } catch {
          return { name, critical, ok: false, message: `${name} does not answer` };
        }
      }),
    ),
  );
  const failed = checks.filter((check) => !check.ok);
  const status = failed.some((check) => check.critical) ? 'unavailable' : failed.length > 0 ? 'degraded' : 'ready';
  return { status, checks };
};
