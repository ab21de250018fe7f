import type { Logger } from '../telemetry/logger.ts';

export type ShutdownPhase = { name: string; timeoutMs: number; run(): Promise<void> };

/**
 * Runs the phases in order, each with a time limit of its own; a phase that fails or takes too long is logged and the
 * next one runs all the same, so that nothing started later stays behind.
 *
 * @returns false when any phase failed
 */
export const runShutdown = async (phases: readonly ShutdownPhase[], log: Logger): Promise<boolean> => {
  let clean = true;
  for (const phase of phases) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not finished within ${phase.timeoutMs} ms`)), phase.timeoutMs);
    });
    try {
      await Promise.race([phase.run(), late]);
    } catch (error) {
      clean = false;
      log.error({ event: 'shutdown', phase: phase.name, err: error }, 'shutdown phase failed');
    } finally {
      clearTimeout(timer);
    }
  }
  return clean;
};
