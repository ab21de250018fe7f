import type { BoundModule } from '../module/define-module.ts';
import type { Logger } from '../telemetry/logger.ts';
import { pause } from './pause.ts';

/** Runs every schedule of the modules at once and then in its interval, until the signal aborts. For the leader only. */
export const runSchedules = async (
  modules: readonly BoundModule[],
  log: Logger,
  signal: AbortSignal,
): Promise<void> => {
  const loops = modules.flatMap(({ module, deps }) =>
    module.schedules.map(async (schedule) => {
      while (!signal.aborted) {
        const startedAtMs = performance.now();
        await schedule.run(deps, signal).then(
          () =>
            log.debug(
              { event: 'schedule', schedule: schedule.name, durationMs: performance.now() - startedAtMs },
              'schedule',
            ),
          (error: unknown) => log.error({ event: 'schedule', schedule: schedule.name, err: error }, 'schedule failed'),
        );
        await pause(schedule.everySeconds * 1_000, signal);
      }
    }),
  );
  await Promise.all(loops);
};
