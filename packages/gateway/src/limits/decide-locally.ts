import { endSlot, secondOf, type LimitedCaller, type Refusal } from './limited-caller.ts';
import { createSlidingWindow } from './sliding-window.ts';
import { prepareHeaders } from './rate-limit-headers.ts';

/**
 * Admits or refuses without Redis: each of the `processes` has its part of either limit, at least one request, and
 * counts against it what it admitted in the last minute with Redis's help too.
 * @returns undefined when admitted
 */
export const decideLocally = (
  caller: LimitedCaller,
  processes: number,
  nowMs: number,
  unixMs: number,
): Refusal | undefined => {
  const { company } = caller;
  const second = secondOf(nowMs);
  if (caller.granted > 0) endSlot(caller, nowMs);
  const share = Math.max(1, Math.floor(caller.perMinute / processes));
  const companyShare = Math.max(1, Math.floor(company.perMinute / processes));
  const isOwn = caller.admitted.used(second) >= share;
  const isCompany = company.admitted.used(second) >= companyShare;
  const isRefused = isOwn || isCompany;
  if (!isRefused) {
    caller.admitted.add(second, 1);
    company.admitted.add(second, 1);
    caller.owed ??= createSlidingWindow();
    caller.owed.add(second, 1);
  }
  const used = caller.admitted.used(second);
  const companyUsed = company.admitted.used(second);
  const freeSecond = caller.admitted.freeSecond(second, Math.min(share, used));
  const companyFreeSecond = company.admitted.freeSecond(second, Math.min(companyShare, companyUsed));
  const unixSecond = Math.floor(unixMs / 1_000);
  caller.rest = Math.max(0, share - used);
  company.remaining = Math.max(0, companyShare - companyUsed);
  caller.freeSecond = unixSecond + freeSecond - second;
  company.freeSecond = unixSecond + companyFreeSecond - second;
  prepareHeaders(caller, unixSecond);
  if (!isRefused) return undefined;
  return {
    violated: [...(isOwn ? [caller.name] : []), ...(isCompany ? (['company'] as const) : [])],
    freeAtMs: Math.max(isOwn ? freeSecond : 0, isCompany ? companyFreeSecond : 0) * 1_000,
  };
};
