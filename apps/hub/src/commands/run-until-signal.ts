import { constants } from 'node:os';

type Signal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';
const signals: readonly Signal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Ctrl-C reaches the whole process group, and npm passes it on once more: copies this close are one wish. */
const echoMs = 1_000;

/**
 * Resolves with the first signal that asks the process to end. Further ones call `onImpatience`, because an operator
 * who presses Ctrl-C twice wants out now.
 */
export const untilSignal = (onImpatience: () => void): Promise<Signal> =>
  new Promise((resolve) => {
    let askedAtMs: number | undefined;
    for (const signal of signals)
      process.on(signal, () => {
        askedAtMs ??= performance.now();
        if (performance.now() - askedAtMs > echoMs) onImpatience();
        resolve(signal);
      });
  });

/** The conventional exit code of a process ended by a signal. */
export const exitCodeOf = (signal: Signal): number => 128 + constants.signals[signal];
