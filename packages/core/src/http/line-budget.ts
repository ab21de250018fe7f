/** Enough to see who is refused and why; a flood of refusals must not be able to fill a disk. */
const linesPerSecond = 20;

export type LineBudget = {
  /** @returns how many lines were left out since the last one that was written; undefined when this one is, too */
  take(): number | undefined;
};

/** Bounds how many lines of one kind are written in any second of the clock. @param nowMs never goes backwards */
export const createLineBudget = (nowMs: () => number, perSecond = linesPerSecond): LineBudget => {
  let second = -1;
  let written = 0;
  let suppressed = 0;
  return {
    take: () => {
      const now = Math.floor(nowMs() / 1_000);
      if (now !== second) [second, written] = [now, 0];
      if (written >= perSecond) {
        suppressed += 1;
        return undefined;
      }
      written += 1;
      const leftOut = suppressed;
      suppressed = 0;
      return leftOut;
    },
  };
};
