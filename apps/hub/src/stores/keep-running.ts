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
  const watch = (child: C): void => {
    void child.exited.then(async () => {
      while (!stopped) {
        onRestart();
        try {
          current = await start(first);
          if (stopped) await current.stop();
          else watch(current);
          return;
        } catch (error) {
          onRestart(error);
          await new Promise((resolve) => setTimeout(resolve, restartPauseMs));
        }
      }
    });
  };
  watch(first);
  return {
    first,
    stop: async () => {
      stopped = true;
      await current.stop();
    },
  };
};
