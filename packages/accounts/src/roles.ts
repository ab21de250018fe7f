import type { CompanyPrincipal } from '@impact-hub/core';

/** Roles, highest first. */
export const roles = ['system_admin', 'company_admin', 'operator', 'auditor', 'viewer'] as const;
export type Role = (typeof roles)[number];

export type ScopeCatalogue = Readonly<Record<string, string>>;

const readOnly = ['data:read', 'report:view', 'deliveries:read', 'endpoints:read', 'connections:read'];

/** Scopes over all companies: no role but the system's own administrator holds them. */
const isOfInstallation = (scope: string): boolean => scope.startsWith('operations:');

/** What each role may do: scope names, `resource:*` for all scopes of a resource, `*` for all. */
const grants: Record<Role, readonly string[]> = {
  system_admin: ['*'],
  company_admin: ['*'],
  operator: ['deliveries:*', 'endpoints:*', 'connections:*', 'notifications:*', 'data:*', 'report:*'],
  auditor: ['audit:read', 'privacy:read', ...readOnly],
  viewer: ['data:read', 'report:view', 'deliveries:read'],
};

/** Roles of equal rank may not be told apart here: operators and auditors cannot grant anything anyway. */
const ranks: Record<Role, number> = { system_admin: 3, company_admin: 2, operator: 1, auditor: 1, viewer: 0 };

const grantCovers = (grant: string, scope: string): boolean =>
  grant === '*' || grant === scope || (grant.endsWith(':*') && scope.startsWith(grant.slice(0, -1)));

/** The scopes of a role among those the hub's modules declare. */
export const roleScopes = (role: Role, catalogue: ScopeCatalogue): ReadonlySet<string> =>
  new Set(
    Object.keys(catalogue)
      .filter((scope) => role === 'system_admin' || !isOfInstallation(scope))
      .filter((scope) => grants[role].some((grant) => grantCovers(grant, scope))),
  );

/** Whether a text names a role. */
const isRole = (text: string): text is Role => (roles as readonly string[]).includes(text);

/**
 * Whether the caller may give, change or take away a role: a person up to their own, a live key up to the scopes it
 * holds and never the system's own administrator, a test key none.
 */
export const mayManageRole = (principal: CompanyPrincipal, role: Role, catalogue: ScopeCatalogue): boolean => {
  if (principal.kind === 'person') return isRole(principal.role) && ranks[principal.role] >= ranks[role];
  if (principal.environment === 'test' || role === 'system_admin') return false;
  return [...roleScopes(role, catalogue)].every((scope) => principal.scopes.has(scope));
};

/** Whether a person of this role may invite others with that one. */
export const mayInvite = (inviter: Role, role: Role, catalogue: ScopeCatalogue): boolean =>
  ranks[inviter] >= ranks[role] && roleScopes(inviter, catalogue).has('people:manage');
