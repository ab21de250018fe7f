import type { Clock } from '@impact-hub/core';

export type ControlledClock = Clock & { advanceMs(ms: number): void; setMs(ms: number): void };

/** A clock that stands still until told otherwise. */
export const controlledClock = (start: Date = new Date('2026-01-15T12:00:00Z')): ControlledClock => {
  let currentMs = start.getTime();
  return {
    now: () => new Date(currentMs),
    nowMs: () => currentMs,
    advanceMs: (ms) => {
      currentMs += ms;
    },
    setMs: (ms) => {
      currentMs = ms;
    },
  };
};
