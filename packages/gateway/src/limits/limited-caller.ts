import type { LimitedCompany } from './company-limits.ts';
import type { LimitName } from './limit-metrics.ts';
import { createSlidingWindow, type SlidingWindow } from './sliding-window.ts';

/** Why a request is not admitted. */
export type Refusal = {
  /** Whose limits were reached; never empty. */
  violated: readonly LimitName[];
  /** Monotonic time at which a request can be admitted again. */
  freeAtMs: number;
};

/**
 * A request that waits for Redis. Called at once when its turn has come, while the figures are those it met; never
 * throws.
 */
export type Waiter = { admit(): void; refuse(refusal: Refusal): void };

/**
 * A key or person as the limiter of one process sees it. `left` of the `granted` tokens entered in Redis's second
 * `slot` are there to be used without asking, until `validUntilMs` (monotonic).
 */
export type LimitedCaller = {
  readonly name: Exclude<LimitName, 'company'>;
  readonly company: LimitedCompany;
  /** Redis keys of the caller's window and the company's. */
  readonly windows: readonly [string, string];
  perMinute: number;
  granted: number;
  left: number;
  slot: number;
  validUntilMs: number;
  /** With this many left, more are fetched; -1 when nothing was taken ahead. */
  refillAt: number;
  /** The demand: what it was when last measured, or more when that has turned out to be too little. */
  perSecond: number;
  measuredAtMs: number;
  /** Tokens used since it was measured (monotonic), as far as they have been counted. */
  used: number;
  /** Tokens of an ended slot that nobody used, to be given back. */
  unused: { second: number; count: number } | undefined;
  /** What other callers left in the window: `left` is not among it. */
  rest: number;
  freeSecond: number;
  refusedUntilMs: number;
  freeAtMs: number;
  readonly waiting: Waiter[];
  isAsking: boolean;
  /** Everything this process admitted, for the time when Redis is away. */
  readonly admitted: SlidingWindow;
  /** What it admitted without Redis, which Redis has to hear. */
  owed: SlidingWindow | undefined;
  headers: CallerHeaders;
};

/** Header texts that stay the same while tokens last. */
export type CallerHeaders = {
  policy: string;
  policyOf: string;
  limit: string;
  companyLimit: string;
  reset: string;
  companyReset: string;
  beforeOwn: string;
  beforeCompany: string;
  end: string;
};

/** Who has never been seen is taken for one who goes on: half of this, as the first measurement forgets the other. */
const assumedPerSecond = 2;

export const createCaller = (
  name: LimitedCaller['name'],
  id: string,
  perMinute: number,
  company: LimitedCompany,
): LimitedCaller => ({
  name,
  company,
  windows: [`hub:limit:{${company.id}}:${name}:${id}`, `hub:limit:{${company.id}}`],
  perMinute,
  granted: 0,
  left: 0,
  slot: 0,
  validUntilMs: 0,
  refillAt: -1,
  perSecond: assumedPerSecond,
  measuredAtMs: 0,
  used: 0,
  unused: undefined,
  rest: perMinute,
  freeSecond: 0,
  refusedUntilMs: 0,
  freeAtMs: 0,
  waiting: [],
  isAsking: false,
  admitted: createSlidingWindow(),
  owed: undefined,
  headers: {
    policy: '',
    policyOf: '',
    limit: '',
    companyLimit: '',
    reset: '',
    companyReset: '',
    beforeOwn: '',
    beforeCompany: '',
    end: '',
  },
});

/** Monotonic milliseconds in whole seconds. */
export const secondOf = (nowMs: number): number => Math.floor(nowMs / 1_000);

/** Counts what has been used of the tokens at hand. */
export const countUsed = (caller: LimitedCaller, nowMs: number): void => {
  const used = caller.granted - caller.left;
  if (used === 0) return;
  caller.granted = caller.left;
  caller.used += used;
  caller.admitted.add(secondOf(nowMs), used);
  caller.company.admitted.add(secondOf(nowMs), used);
};

/** Ends the slot: counts what was used of it, and keeps what was not, to be given back. */
export const endSlot = (caller: LimitedCaller, nowMs: number): void => {
  countUsed(caller, nowMs);
  if (caller.left > 0) caller.unused = { second: caller.slot, count: caller.left };
  caller.granted = 0;
  caller.left = 0;
  caller.refillAt = -1;
};
