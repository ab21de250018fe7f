/**
 * Milliseconds until the next attempt, or undefined when the schedule is used up. Full jitter (a uniform draw up to
 * the step): spreads a thundering herd best, see "Exponential Backoff and Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt number of the attempt that just failed, from 1
 * @param random uniform in [0, 1)
 */
export const retryDelayMs = (
  schedule: readonly number[],
  attempt: number,
  random: () => number,
): number | undefined => {
  const stepSeconds = schedule[attempt - 1];
  return stepSeconds === undefined ? undefined : Math.ceil(stepSeconds * 1_000 * random());
};
