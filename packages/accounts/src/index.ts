import { defineModule, type Module } from '@impact-hub/core';
import { authRoutes } from './auth-routes.ts';
import { companyRoutes } from './company-routes.ts';
import type { AccountsDeps } from './deps.ts';
import { invitationRoutes } from './invitation-routes.ts';
import { oidcRoutes } from './oidc-routes.ts';
import { removeExpired } from './remove-expired.ts';
import { secondFactorRoutes } from './second-factor-routes.ts';

export { createAccounts, type Accounts, type AccountsOptions } from './create-accounts.ts';
export { createCompany, type ActedBy } from './create-company.ts';
export { createPerson } from './people/create-person.ts';
export { roles, roleScopes, type Role, type ScopeCatalogue } from './roles.ts';
export { originOfRequest, type RequestOrigin } from './same-origin.ts';
export { crossSiteRequest } from './problems.ts';
export { refuseUnlessFor } from './refuse-unless-for.ts';
export type { OidcSettings } from './sign-in/create-better-auth.ts';
export type { AccountsDeps } from './deps.ts';

/** Companies, people, roles and sessions. */
export const accountsModule: Module<AccountsDeps> = defineModule({
  name: 'accounts',
  description: 'People of a company: how they sign in, with which second factor, and who invites and removes them.',
  routes: [...authRoutes, ...secondFactorRoutes, ...oidcRoutes, ...companyRoutes, ...invitationRoutes],
  scopes: { 'people:manage': 'Invite people, change their roles and end their sessions.' },
  schedules: [{ name: 'accounts.remove-expired', everySeconds: 3_600, run: removeExpired }],
});
