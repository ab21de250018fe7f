import { endSlot, type LimitedCaller, type Refusal } from './limited-caller.ts';
import { prepareHeaders } from './rate-limit-headers.ts';
import type { Taken } from './take-tokens-script.ts';

/** How long a refusal is repeated without asking, so that a raised limit or tokens given back are noticed. */
const refusalRememberedMs = 1_000;
/** Tokens are used in a little less than their time: clocks are adjusted by at most 0.05 % (NTP). */
const clockMargin = 0.999;
/** More are fetched when a quarter is left; not worth it for fewer than this. */
const smallestRefilledLease = 4;

const keep = (caller: LimitedCaller, taken: Taken, sentAtMs: number, nowMs: number): void => {
  if (caller.slot !== taken.slot) {
    endSlot(caller, nowMs);
    caller.slot = taken.slot;
    caller.validUntilMs = 0;
  }
  caller.granted += taken.granted;
  caller.left += taken.granted;
  // Counted from the moment of asking: Redis's second ends later than that, never earlier.
  caller.validUntilMs = Math.max(caller.validUntilMs, sentAtMs + taken.leftMs * clockMargin);
};

/** Enters what Redis granted and said. */
const accept = (caller: LimitedCaller, taken: Taken, sentAtMs: number, nowMs: number): void => {
  const { company } = caller;
  if (taken.granted > 0) keep(caller, taken, sentAtMs, nowMs);
  caller.rest = Math.max(0, caller.perMinute - taken.used);
  caller.freeSecond = taken.freeSecond;
  company.remaining = Math.max(0, company.perMinute - taken.companyUsed) + caller.left;
  company.freeSecond = taken.companyFreeSecond;
  prepareHeaders(caller, taken.second);
};

const remember = (limit: { freeAtMs: number; refusedUntilMs: number }, freeAtMs: number, nowMs: number): void => {
  limit.freeAtMs = freeAtMs;
  limit.refusedUntilMs = Math.min(freeAtMs, nowMs + refusalRememberedMs);
};

const refusalOf = (caller: LimitedCaller, taken: Taken, nowMs: number): Refusal => {
  const { company } = caller;
  const inMs = (second: number): number => nowMs + taken.leftMs + (second - taken.slot - 1) * 1_000;
  const isOwn = taken.used >= caller.perMinute;
  const isCompany = taken.companyUsed >= company.perMinute;
  if (isOwn) remember(caller, inMs(taken.freeSecond), nowMs);
  if (isCompany) remember(company, inMs(taken.companyFreeSecond), nowMs);
  return {
    violated: [...(isOwn ? [caller.name] : []), ...(isCompany ? (['company'] as const) : [])],
    freeAtMs: Math.max(isOwn ? caller.freeAtMs : 0, isCompany ? company.freeAtMs : 0),
  };
};

/**
 * Enters an answer of Redis and decides about the requests that waited for it, in their order. Those that came too
 * late to be asked for stay in line, unless the limit is reached.
 */
export const useAnswer = (
  caller: LimitedCaller,
  taken: Taken,
  { needed, sentAtMs, nowMs }: { needed: number; sentAtMs: number; nowMs: number },
): void => {
  accept(caller, taken, sentAtMs, nowMs);
  const { waiting } = caller;
  while (waiting.length > 0 && caller.left > 0) {
    caller.left -= 1;
    caller.company.remaining -= 1;
    waiting.shift()?.admit();
  }
  if (taken.granted < needed) {
    const refusal = refusalOf(caller, taken, nowMs);
    for (const waiter of waiting.splice(0)) waiter.refuse(refusal);
  }
  caller.refillAt = caller.left >= smallestRefilledLease ? caller.left >> 2 : -1;
};
