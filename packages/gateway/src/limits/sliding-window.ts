import { slotSeconds } from './take-tokens-script.ts';

/** The window of the Redis script in memory: what one process has admitted, second by second. */
export type SlidingWindow = {
  /** Requests that count at `second`. */
  used(second: number): number;
  add(second: number, count: number): void;
  /** The first second at which fewer than `limit` requests count. */
  freeSecond(second: number, limit: number): number;
};

/** @param second whole seconds of a clock that never goes back */
export const createSlidingWindow = (): SlidingWindow => {
  const counts = new Uint32Array(slotSeconds);
  let at = 0;
  let total = 0;
  const count = (second: number): number => counts[second % slotSeconds] ?? 0;
  const slide = (second: number): void => {
    if (second - at >= slotSeconds) {
      counts.fill(0);
      total = 0;
      at = second;
    }
    while (at < second) {
      at += 1;
      total -= count(at);
      counts[at % slotSeconds] = 0;
    }
  };
  return {
    used: (second) => {
      slide(second);
      return total;
    },
    add: (second, added) => {
      slide(second);
      counts[at % slotSeconds] = count(at) + added;
      total += added;
    },
    freeSecond: (second, limit) => {
      slide(second);
      let excess = total - limit + 1;
      let oldest = at - slotSeconds + 1;
      for (; excess > 0 && oldest <= at; oldest += 1) excess -= oldest < 0 ? 0 : count(oldest);
      return excess > 0 || total < limit ? second : oldest - 1 + slotSeconds;
    },
  };
};
