import { coversIpRange } from '@impact-hub/core';
import type { KeyMaker } from './create-api-key.ts';
import { beyondOwnAccess } from './problems.ts';
import type { ApiKeyRow } from './tables.ts';

/** What a key can be used for: by what it may do, how much, how long, and from where. */
type Reach = Pick<ApiKeyRow, 'scopes' | 'expiresAt' | 'allowedIps' | 'rateLimitPerMinute'>;

/** Whether `later` is after `earlier`; null is never reached. */
const endsLater = (later: Date | null, earlier: Date | null): boolean =>
  earlier !== null && (later === null || later > earlier);

/** Whether every address of `inner` is in `outer`; an empty list stands for every address. */
const addressesWithin = (inner: readonly string[], outer: readonly string[]): boolean =>
  outer.length === 0 || (inner.length > 0 && inner.every((range) => coversIpRange(outer, range)));

type Usable = Reach & Pick<ApiKeyRow, 'enabled'>;

/** Whether a change lets a key be used when, from where or as much as it could not be used before. */
export const widens = (from: Usable, to: Usable): boolean =>
  (to.enabled && !from.enabled) ||
  endsLater(to.expiresAt, from.expiresAt) ||
  to.rateLimitPerMinute > from.rateLimitPerMinute ||
  !addressesWithin(to.allowedIps, from.allowedIps);

/**
 * Nobody gives out more than they have, by whatever way: who gets a new secret of a key, or lets it work again, longer,
 * more often or from more addresses, must hold all its scopes. A key doing so must also last as long itself, be usable
 * from all those addresses, and send as much per minute. Restricting, retiring and revoking are open to every
 * administrator.
 * @throws ProblemError `api_keys.beyond_own_access` saying what is missing
 */
export const refuseBeyondMaker = (maker: KeyMaker, reach: Reach): void => {
  const { scopes, bounds } = maker;
  const missing = scopes === null ? [] : reach.scopes.filter((scope) => !scopes.has(scope));
  const reasons = missing.length === 0 ? [] : [`You do not hold: ${missing.join(', ')}.`];
  if (bounds && endsLater(reach.expiresAt, bounds.expiresAt)) reasons.push('It would outlast the key in use.');
  if (bounds && !addressesWithin(reach.allowedIps, bounds.allowedIps))
    reasons.push('It would be usable from addresses that the key in use is not.');
  if (bounds && reach.rateLimitPerMinute > bounds.rateLimitPerMinute)
    reasons.push('It would send more per minute than the key in use.');
  if (reasons.length > 0) throw beyondOwnAccess({ detail: reasons.join(' ') });
};
