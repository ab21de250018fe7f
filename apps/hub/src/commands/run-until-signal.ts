import { constants } from 'node:os';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
const signals: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Resolves with the first signal that asks the process to end. Further ones call `onImpatience`, because an operator
 * who presses Ctrl-C twice wants out now.
 */
export const untilSignal = (onImpatience: () => void): Promise<Signal> =>
  new Promise((resolve) => {
    let asked = false;
    for (const signal of signals)
      process.on(signal, () => {
        if (asked) onImpatience();
        asked = true;
        resolve(signal);
      });
  });

/** The conventional exit code of a process ended by a signal. */
export const exitCodeOf = (signal: Signal): number => 128 + constants.signals[signal];
