import type { FastifyReply } from 'fastify';
import type { LimitName } from './limit-metrics.ts';
import type { LimitedCaller } from './limited-caller.ts';
import { longestSpanSeconds, slotSeconds } from './take-tokens-script.ts';

/** The longest a token counts: those taken ahead for several seconds count from the last of them. */
const longestWindowSeconds = slotSeconds + longestSpanSeconds;

/**
 * Prepares the header texts that do not change from one request to the next: all but the numbers left.
 * @param second the present Unix second by the clock that the caller's `freeSecond` was read from
 */
export const prepareHeaders = (caller: LimitedCaller, second: number): void => {
  const { headers, company, name } = caller;
  const policyOf = `${caller.perMinute} ${company.perMinute}`;
  if (headers.policyOf !== policyOf) {
    headers.policyOf = policyOf;
    headers.limit = String(caller.perMinute);
    headers.companyLimit = String(company.perMinute);
    headers.policy = `"${name}";q=${headers.limit};w=${longestWindowSeconds}, "company";q=${headers.companyLimit};w=${longestWindowSeconds}`;
    headers.beforeOwn = `"${name}";r=`;
  }
  headers.reset = String(caller.freeSecond);
  headers.companyReset = String(company.freeSecond);
  headers.beforeCompany = `;t=${Math.max(0, caller.freeSecond - second)}, "company";r=`;
  headers.end = `;t=${Math.max(0, company.freeSecond - second)}`;
};

/**
 * Says what the caller may still send: `X-RateLimit-*` for the tighter of the two limits (Reset: Unix second from
 * which on more is free), `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) for both.
 */
export const writeHeaders = (response: FastifyReply, caller: LimitedCaller): void => {
  const { headers } = caller;
  const own = caller.rest + caller.left;
  const company = Math.max(0, caller.company.remaining);
  const isCompany = company < own;
  response
    .header('x-ratelimit-limit', isCompany ? headers.companyLimit : headers.limit)
    .header('x-ratelimit-remaining', isCompany ? company : own)
    .header('x-ratelimit-reset', isCompany ? headers.companyReset : headers.reset)
    .header('ratelimit-policy', headers.policy)
    .header('ratelimit', headers.beforeOwn + own + headers.beforeCompany + company + headers.end);
};

/** Says of the limits that were reached when more is free; of the other one nothing. */
export const writeRefusalHeaders = (
  response: FastifyReply,
  caller: LimitedCaller,
  violated: readonly LimitName[],
  retryAfterSeconds: number,
): void => {
  const { headers, company } = caller;
  const isOwn = violated.includes(caller.name);
  const freeSecond = Math.max(isOwn ? caller.freeSecond : 0, violated.includes('company') ? company.freeSecond : 0);
  response
    .header('x-ratelimit-limit', isOwn ? headers.limit : headers.companyLimit)
    .header('x-ratelimit-remaining', 0)
    .header('x-ratelimit-reset', freeSecond)
    .header('ratelimit-policy', headers.policy)
    .header('ratelimit', violated.map((name) => `"${name}";r=0;t=${retryAfterSeconds}`).join(', '));
};
