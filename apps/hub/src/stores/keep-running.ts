/** A child process that the hub owns, as `@impact-hub/embedded-stores` starts it. */
type Child = { exited: Promise<unknown>; stop(): Promise<void> };

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
  const restart = async (): Promise<void> => {
    while (!stopped) {
      onRestart();
      try {
        current = await start(first);
        watch(current);
        return;
      } catch (error) {
        onRestart(error);
        await new Promise((resolve) => setTimeout(resolve, restartPauseMs));
      }
    }
  };
  const watch = (child: C): void => {
    void child.exited.then(() => {
      if (!stopped) restarting = restart();
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
