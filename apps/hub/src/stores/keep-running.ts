import { setTimeout as pause } from 'node:timers/promises';

/** A child process that the hub owns, as `@impact-hub/embedded-stores` starts it. */
type Child = { exited: Promise<unknown>; stop(): Promise<void> };

/** Between attempts, and before the first for a child that ended this soon after its start: nothing is to spin. */
const restartPauseMs = 250;

/**
 * Starts a store and starts it again whenever it ends without having been asked to (killed, crashed), so that an
 * embedded installation heals itself as a supervised production store would. A restart is given the first child, to
 * come back at the same address.
 */
export const keepRunning = async <C extends Child>(
  start: (first?: C) => Promise<C>,
  onRestart: (error?: unknown) => void,
): Promise<{ first: C; stop(): Promise<void> }> => {
  let stopped = false;
  const first = await start();
  let current: C = first;
  let restarting: Promise<void> | undefined;
  const restart = async (livedMs: number): Promise<void> => {
    onRestart();
    if (livedMs < restartPauseMs) await pause(restartPauseMs);
    while (!stopped) {
      try {
        current = await start(first);
        watch(current);
        return;
      } catch (error) {
        onRestart(error);
        await pause(restartPauseMs);
      }
    }
  };
  const watch = (child: C): void => {
    const startedAtMs = performance.now();
    void child.exited.then(() => {
      if (!stopped) restarting = restart(performance.now() - startedAtMs);
    });
  };
  watch(first);
  return {
    first,
    stop: async () => {
      stopped = true;
      // One under way would leave behind what it starts.
      await restarting;
      await current.stop();
    },
  };
};
