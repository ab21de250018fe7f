import { slotSeconds } from './take-tokens-script.ts';

/** The window of the Redis script in memory: what one process has admitted, second by second. */
export type SlidingWindow = {
  /** Requests that count at `second`. */
  used(second: number): number;
  add(second: number, count: number): void;
  /** What was counted in `second`, which is no later than the last one asked for. */
  countOf(second: number): number;
  /** Counts what the other one counts, each request in its own second. */
  merge(other: SlidingWindow, second: number): void;
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
  const countOf = (second: number): number => (second < 0 || at - second >= slotSeconds ? 0 : count(second));
  return {
    countOf,
    merge: (other, second) => {
      slide(second);
      if (other.used(second) === 0) return;
      for (let past = Math.max(0, second - slotSeconds + 1); past <= second; past += 1) {
        const added = other.countOf(past);
        counts[past % slotSeconds] = count(past) + added;
        total += added;
      }
    },
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
