import type { CompanyPrincipal, OnlyFor } from '@impact-hub/core';
import { peopleOnly, systemAdminOnly } from './problems.ts';

/**
 * Keeps a route that is for people only, or for the administrator of the system, to them.
 * @throws ProblemError `accounts.people_only`, `accounts.system_admin_only`
 */
export const refuseUnlessFor = (principal: CompanyPrincipal, onlyFor: OnlyFor | undefined): void => {
  if (onlyFor === undefined) return;
  if (onlyFor === 'people' && principal.kind !== 'person') throw peopleOnly();
  if (onlyFor === 'system_admin' && (principal.kind !== 'person' || principal.role !== 'system_admin'))
    throw systemAdminOnly();
};
