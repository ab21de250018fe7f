/** Source of the current time; injected everywhere so that tests decide what time it is. */
export type Clock = { now(): Date; nowMs(): number };

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  nowMs: () => Date.now(),
};
