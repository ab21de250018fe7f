import type { CompanyPrincipal } from '@impact-hub/core';
import { LRUCache } from 'lru-cache';
import type { CompanyLimits } from './company-limits.ts';
import { createCaller, type LimitedCaller } from './limited-caller.ts';

/** Requests a signed-in person may make in any 60 s, in one company: twenty a second, far beyond any console. */
export const personLimitPerMinute = 1_200;
const maxCallers = 20_000;

/** The callers of this process, the least recently seen forgotten: they only lose what they could give back. */
export const createCallerDirectory = (options: { companies: CompanyLimits; onNew(): void }) => {
  const { companies, onNew } = options;
  const callers = new LRUCache<string, LimitedCaller>({ max: maxCallers });
  /** The verifier hands out the same principal as long as it has the key in memory: no text to build or hash. */
  const known = new WeakMap<CompanyPrincipal, LimitedCaller>();

  const find = (principal: CompanyPrincipal): LimitedCaller => {
    const isKey = principal.kind === 'api_key';
    const id = isKey ? principal.keyId : principal.personId;
    const perMinute = isKey ? principal.rateLimitPerMinute : personLimitPerMinute;
    const name = `${principal.companyId} ${id}`;
    let caller = callers.get(name);
    if (caller === undefined) {
      caller = createCaller(isKey ? 'key' : 'person', id, perMinute, companies.get(principal.companyId));
      callers.set(name, caller);
      onNew();
    }
    if (caller.perMinute !== perMinute) {
      caller.perMinute = perMinute;
      caller.refusedUntilMs = 0;
    }
    known.set(principal, caller);
    return caller;
  };
  return (principal: CompanyPrincipal): LimitedCaller => known.get(principal) ?? find(principal);
};
