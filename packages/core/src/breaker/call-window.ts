import type { BreakerOptions } from './breaker-options.ts';

export type CallCounts = { calls: number; failures: number };

/** What the last calls came to: counts by tenth of the window for the rates, exact times for the threshold. */
export type CallWindow = {
  /** @returns whether the failure is one too many */
  record(nowMs: number, failed: boolean): boolean;
  counts(nowMs: number): CallCounts;
  clear(): void;
};

type Limits = Pick<BreakerOptions, 'failureThreshold' | 'failureWindowMs' | 'minFailureShare'>;

const slotCount = 10;

/** Costs one comparison and one addition for a success: every call of every dependency passes here. */
export const createCallWindow = (limits: Limits): CallWindow => {
  const slotMs = Math.max(1, limits.failureWindowMs / slotCount);
  const slots = Array.from({ length: slotCount }, () => ({ number: -1, calls: 0, failures: 0 }));
  const failedAtMs: number[] = [];

  const slotAt = (nowMs: number) => {
    const number = Math.floor(nowMs / slotMs);
    const slot = slots[number % slotCount]!;
    if (slot.number !== number) Object.assign(slot, { number, calls: 0, failures: 0 });
    return slot;
  };
  const counts = (nowMs: number): CallCounts => {
    const oldest = Math.floor(nowMs / slotMs) - slotCount + 1;
    const sum = { calls: 0, failures: 0 };
    for (const slot of slots)
      if (slot.number >= oldest) {
        sum.calls += slot.calls;
        sum.failures += slot.failures;
      }
    return sum;
  };
  const isTooMany = (nowMs: number): boolean => {
    const first = failedAtMs.length < limits.failureThreshold ? undefined : failedAtMs[0];
    if (first === undefined || nowMs - first >= limits.failureWindowMs) return false;
    if (limits.minFailureShare === 0) return true;
    const { calls, failures } = counts(nowMs);
    return failures >= calls * limits.minFailureShare;
  };

  return {
    record(nowMs, failed) {
      const slot = slotAt(nowMs);
      slot.calls += 1;
      if (!failed) return false;
      slot.failures += 1;
      failedAtMs.push(nowMs);
      if (failedAtMs.length > limits.failureThreshold) failedAtMs.shift();
      return isTooMany(nowMs);
    },
    counts,
    clear() {
      for (const slot of slots) slot.number = -1;
      failedAtMs.length = 0;
    },
  };
};
