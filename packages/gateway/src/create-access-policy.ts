import { crossSiteRequest, originOfRequest, refuseUnlessFor, type Accounts } from '@impact-hub/accounts';
import type { ApiKeyVerifier, VerifyResult } from '@impact-hub/api-keys';
import {
  anonymous,
  coreProblems,
  defineProblem,
  identify,
  type Access,
  type AccessPolicy,
  type Callers,
  type CompanyPrincipal,
} from '@impact-hub/core';
import type { FastifyRequest } from 'fastify';
import { readPresentedKey } from './read-presented-key.ts';

export type AccessPolicyOptions = {
  apiKeys: Pick<ApiKeyVerifier, 'verify'>;
  accounts: Pick<Accounts, 'authenticate' | 'hasSessionCookie'>;
  /** Where browsers reach the hub: changes by cookie have to come from this origin. */
  publicUrl: string;
};

const tooManyWrongKeys = defineProblem({
  code: 'auth.too_many_wrong_keys',
  status: 429,
  title: 'Too many wrong keys from this address',
  remedy: 'Wait for the seconds given in `Retry-After`, then send the right key.',
});

/** Also for WebSockets, whose requests are GETs that write. */
export const environmentNotAllowed = defineProblem({
  code: 'auth.environment_not_allowed',
  status: 403,
  title: 'A test key cannot do this',
  remedy: 'Use a live key or sign in; a test key reads, and makes test keys.',
});

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const peopleAndLiveKeys: Callers = { environments: ['live'] };
const challenge = { 'www-authenticate': 'Bearer realm="impact-hub"' };

/** One answer whatever the reason; the reason is for the log. */
const unauthenticated = (authReason: string) =>
  coreProblems.unauthenticated({ headers: challenge, context: { authReason } });

const requireScopes = (principal: CompanyPrincipal, access: Access): void => {
  if (typeof access === 'string') return;
  for (const scope of access.scopes)
    if (!principal.scopes.has(scope))
      throw coreProblems.forbidden({ detail: `This needs the scopes: ${access.scopes.join(', ')}.` });
};

const permit = (principal: CompanyPrincipal, access: Access, { onlyFor }: Callers): CompanyPrincipal => {
  requireScopes(principal, access);
  refuseUnlessFor(principal, onlyFor);
  return principal;
};

/** A key belongs to one company; a caller who means another one must not act for this one. */
const refuseOtherCompany = (companyId: string, header: string | string[] | undefined): void => {
  if (header === undefined || header === '') return;
  if (typeof header === 'string' && header.toLowerCase() === companyId) return;
  const detail = 'Is not the company of the API key; leave the header out or use a key of that company.';
  throw coreProblems.requestInvalid({
    detail: `X-Company-Id: ${detail}`,
    errors: [{ pointer: '/headers/x-company-id', detail }],
  });
};

const admitKey = (
  result: VerifyResult,
  request: FastifyRequest,
  access: Access,
  callers: Callers,
): CompanyPrincipal => {
  if (result.valid) {
    const { principal } = result;
    identify(request, principal);
    refuseOtherCompany(principal.companyId, request.headers['x-company-id']);
    // Where no key is let in, a test key is not sent for a live one.
    if (callers.onlyFor === undefined && !callers.environments.includes(principal.environment))
      throw environmentNotAllowed();
    return permit(principal, access, callers);
  }
  if (result.reason === 'too_many_misses')
    throw tooManyWrongKeys({ headers: { 'retry-after': String(result.retryAfterSeconds ?? 1) } });
  throw unauthenticated(result.reason);
};

/**
 * The hub's access policy: an API key if one is presented, else the session cookie. Synchronous for a cached key.
 * Browsers send cookies along with what other sites make them send, so a change by cookie must prove its origin.
 */
export const createAccessPolicy = (options: AccessPolicyOptions): AccessPolicy => {
  const { apiKeys, accounts, publicUrl } = options;

  const admitPerson = async (request: FastifyRequest, access: Access, callers: Callers): Promise<CompanyPrincipal> => {
    const principal = await accounts.authenticate(request.headers, { companyRequired: access !== 'signedIn' });
    if (principal === null) throw unauthenticated('session_ended');
    identify(request, principal);
    if (!safeMethods.has(request.method) && originOfRequest(request.headers, publicUrl) !== 'same')
      throw crossSiteRequest();
    return permit(principal, access, callers);
  };

  return (request, access, callers = peopleAndLiveKeys) => {
    if (access === 'public' || access === 'signature') return anonymous;
    const key = readPresentedKey(request.headers);
    if (key !== undefined) {
      const result = apiKeys.verify(key, request.ip);
      return result instanceof Promise
        ? result.then((awaited) => admitKey(awaited, request, access, callers))
        : admitKey(result, request, access, callers);
    }
    if (accounts.hasSessionCookie(request.headers)) return admitPerson(request, access, callers);
    throw unauthenticated('no_credentials');
  };
};
