import type { RequestInfo } from '@impact-hub/core';
import type { AccountsDeps } from '../deps.ts';
import { hashSessionToken } from './hash-session-tokens.ts';
import { openSignedCookie, readCookie } from './session-cookie.ts';
import { admit } from './sign-in-with-password.ts';

const failedLocation = '/console/sign-in?error=oidc';

/**
 * Turns better-auth's answer to the provider's callback into ours: a person without a membership gets no session, and
 * every accepted sign-in is audited before the browser learns of it.
 *
 * @returns the headers of the redirect
 */
export const finishOidcSignIn = async (
  deps: AccountsDeps,
  response: Response,
  request: RequestInfo,
): Promise<Record<string, string | string[]>> => {
  const { cookieName } = deps.accounts.signIn;
  const value = response.headers
    .getSetCookie()
    .map((line) => readCookie(line, cookieName))
    .find((cookie) => cookie !== undefined && cookie !== '');
  const token = value === undefined ? undefined : openSignedCookie(value, deps.accounts.signIn.secret);
  if (token === undefined) return { location: failedLocation };
  const [user] = await deps.db.systemSql<{ id: string; email: string; name: string }[]>`
    select p.id, p.email, p.name from session s join person p on p.id = s.person_id
    where s.token_hash = ${hashSessionToken(token)}`;
  if (user === undefined) return { location: failedLocation };
  try {
    const { headers } = await admit(deps, request, { token, user, headers: response.headers });
    return { ...headers, location: '/console' };
  } catch (error) {
    request.log['oidc'] = error instanceof Error ? error.name : 'failed';
    return { location: failedLocation };
  }
};
