import { reply, routeDefiner } from '@impact-hub/core';
import type { AccountsDeps } from './deps.ts';
import { acceptInvitation } from './people/accept-invitation.ts';
import { endSessions } from './people/end-sessions.ts';
import { crossSiteRequest, sessionNotFound } from './problems.ts';
import { selectMemberships, selectSessionsOf } from './repository.ts';
import { originOfRequest, type BrowserHeaders } from './same-origin.ts';
import {
  acceptedView,
  acceptInvitationBody,
  currentSessionView,
  endedView,
  nothing,
  secondFactorView,
  sessionParams,
  sessionsView,
  signedInView,
  signInBody,
} from './schema.ts';
import { signInWithPassword } from './sign-in/sign-in-with-password.ts';

const defineRoute = routeDefiner<AccountsDeps>();

/** Signing in has no session yet that the access policy could protect. @throws ProblemError `auth.cross_site_request` */
export const refuseCrossSite = (headers: BrowserHeaders, deps: AccountsDeps): void => {
  if (originOfRequest(headers, deps.accounts.publicUrl) === 'other') throw crossSiteRequest();
};

const signIn = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/sign-in',
  operationId: 'signIn',
  summary: 'Sign in with an e-mail address and a password',
  description: 'Sets the session cookie. 202 asks for a second factor: send its code to `/api/v1/auth/second-factor`.',
  access: 'public',
  input: { body: signInBody },
  output: { 200: signedInView, 202: secondFactorView },
  handler: async ({ input, deps, request }) => {
    refuseCrossSite(request.headers, deps);
    const { headers, ...body } = await signInWithPassword(deps, input.body, request);
    return reply('secondFactor' in body ? 202 : 200, body, headers);
  },
});

const signOut = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/sign-out',
  operationId: 'signOut',
  summary: 'End the present session',
  access: 'signedIn',
  onlyFor: 'people',
  output: { 204: nothing },
  handler: async ({ principal, deps, request }) => {
    await deps.db.company(principal.companyId, (tx) =>
      endSessions(tx, { principal, request }, 'auth.signed_out', principal.personId, { only: principal.sessionId }),
    );
    const { cookieName, isSecure } = deps.accounts.signIn;
    const cookie = `${cookieName}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
    return reply(204, undefined, { 'set-cookie': cookie });
  },
});

const showSession = defineRoute({
  method: 'GET',
  path: '/api/v1/auth/session',
  operationId: 'getSession',
  summary: 'Who is signed in, with role, scopes and companies',
  access: 'signedIn',
  onlyFor: 'people',
  output: { 200: currentSessionView },
  handler: async ({ principal, deps }) => {
    const { personId, email, sessionId, companyId, role, scopes } = principal;
    const companies = await selectMemberships(deps.db.systemSql, personId);
    return { person: { id: personId, email }, sessionId, companyId, role, scopes: [...scopes].sort(), companies };
  },
});

const listSessions = defineRoute({
  method: 'GET',
  path: '/api/v1/auth/sessions',
  operationId: 'listOwnSessions',
  summary: 'List your running sessions',
  access: 'signedIn',
  onlyFor: 'people',
  output: { 200: sessionsView },
  handler: async ({ principal, deps }) => {
    const rows = await deps.db.company(principal.companyId, (tx) =>
      selectSessionsOf(tx, principal.personId, deps.clock.now()),
    );
    return { data: rows.map((row) => ({ ...row, isCurrent: row.id === principal.sessionId })) };
  },
});

const revokeSession = defineRoute({
  method: 'DELETE',
  path: '/api/v1/auth/sessions/:sessionId',
  operationId: 'revokeOwnSession',
  summary: 'End one of your sessions',
  access: 'signedIn',
  onlyFor: 'people',
  input: { params: sessionParams },
  output: { 204: nothing },
  handler: async ({ input, principal, deps, request }) => {
    const ended = await deps.db.company(principal.companyId, (tx) =>
      endSessions(tx, { principal, request }, 'auth.session_revoked', principal.personId, {
        only: input.params.sessionId,
      }),
    );
    if (ended === 0) throw sessionNotFound();
  },
});

const revokeOthers = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/sessions/revoke-others',
  operationId: 'revokeOtherSessions',
  summary: 'End all your sessions except this one',
  access: 'signedIn',
  onlyFor: 'people',
  output: { 200: endedView },
  handler: async ({ principal, deps, request }) => {
    const ended = await deps.db.company(principal.companyId, (tx) =>
      endSessions(tx, { principal, request }, 'auth.session_revoked', principal.personId, {
        except: principal.sessionId,
      }),
    );
    return { ended };
  },
});

const accept = defineRoute({
  method: 'POST',
  path: '/api/v1/auth/accept-invitation',
  operationId: 'acceptInvitation',
  summary: 'Join a company by an invitation',
  access: 'public',
  input: { body: acceptInvitationBody },
  output: { 200: acceptedView },
  handler: async ({ input, deps, request }) => {
    refuseCrossSite(request.headers, deps);
    return acceptInvitation(deps, input.body, request);
  },
});

export const authRoutes = [signIn, signOut, showSession, listSessions, revokeSession, revokeOthers, accept];
