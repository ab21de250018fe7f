import { defineProblem } from '@impact-hub/core';

export const signInFailed = defineProblem({
  code: 'accounts.sign_in_failed',
  status: 401,
  title: 'Signing in did not work',
  remedy: 'Check the e-mail address and the password; the answer is the same whichever of them is wrong.',
});
export const tooManyAttempts = defineProblem({
  code: 'accounts.too_many_attempts',
  status: 429,
  title: 'Too many attempts to sign in',
  remedy: 'Wait for the seconds given in `Retry-After`, then try again.',
});
export const personNotFound = defineProblem({
  code: 'accounts.person_not_found',
  status: 404,
  title: 'There is no such person in the company',
  remedy: 'Check the id; people of other companies are reported as absent.',
});
export const sessionNotFound = defineProblem({
  code: 'accounts.session_not_found',
  status: 404,
  title: 'There is no such session',
  remedy: 'List your sessions; it may have ended already.',
});
export const roleNotAllowed = defineProblem({
  code: 'accounts.role_not_allowed',
  status: 403,
  title: 'The role is above your own',
  remedy: 'Choose a role up to your own, or ask somebody who holds a higher one.',
});
export const peopleOnly = defineProblem({
  code: 'accounts.people_only',
  status: 403,
  title: 'Only a signed-in person can do this',
  remedy: 'Sign in; API keys have no sessions and cannot manage the system.',
});
export const systemAdminOnly = defineProblem({
  code: 'accounts.system_admin_only',
  status: 403,
  title: 'Only the administrator of the system can do this',
  remedy: 'Ask a person with the role `system_admin`.',
});
export const lastAdministrator = defineProblem({
  code: 'accounts.last_administrator',
  status: 409,
  title: 'The company would be left without an administrator',
  remedy: 'Make somebody else an administrator first.',
});
export const alreadyMember = defineProblem({
  code: 'accounts.already_member',
  status: 409,
  title: 'The person already belongs to the company',
  remedy: 'Change the role of the existing person instead.',
});
export const invitationInvalid = defineProblem({
  code: 'accounts.invitation_invalid',
  status: 404,
  title: 'The invitation is not valid',
  remedy: 'Ask for a new invitation; this one was used, withdrawn, has expired or never existed.',
});
export const invitationNotFound = defineProblem({
  code: 'accounts.invitation_not_found',
  status: 404,
  title: 'There is no such open invitation',
  remedy: 'List the invitations; it may have been accepted or withdrawn already.',
});
export const personOfOtherCompanies = defineProblem({
  code: 'accounts.person_of_other_companies',
  status: 409,
  title: 'The person belongs to other companies too, and so do their sessions',
  remedy: 'Disable the membership instead; it keeps the person out of this company at once.',
});
export const addressNotReleasable = defineProblem({
  code: 'accounts.address_not_releasable',
  status: 409,
  title: 'The address is your own or proven to be its holder’s',
  remedy: 'Release addresses only that somebody else holds and that the identity provider has not confirmed.',
});
export const secondFactorEnabled = defineProblem({
  code: 'accounts.second_factor_enabled',
  status: 409,
  title: 'The second factor is on already',
  remedy: 'Turn it off first, then set it up again.',
});
export const oidcNotConfigured = defineProblem({
  code: 'accounts.oidc_not_configured',
  status: 404,
  title: 'Signing in through an identity provider is not set up',
  remedy: 'Sign in with a password, or have the identity provider configured.',
});
export const oidcUnavailable = defineProblem({
  code: 'accounts.oidc_unavailable',
  status: 503,
  title: 'The identity provider does not answer',
  remedy: 'Try again after the seconds given in `Retry-After`, or sign in with a password.',
});
export const crossSiteRequest = defineProblem({
  code: 'auth.cross_site_request',
  status: 403,
  title: 'The request did not come from the hub’s own pages',
  remedy: 'Send changes with a session cookie from the same origin only; programs use an API key.',
});
