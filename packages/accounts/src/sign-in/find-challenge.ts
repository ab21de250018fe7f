import { z } from 'zod';
import type { RequestInfo } from '@impact-hub/core';
import type { AccountsDeps } from '../deps.ts';
import { authHeaders } from './call-better-auth.ts';
import { openSignedCookie, readCookie } from './session-cookie.ts';

/** better-auth's name of the cookie that carries the challenge. */
const challengeCookie = 'two_factor';
const personId = z.uuid();

/**
 * Who is asked for a second factor by this request, from the challenge that the right password made.
 * @returns also the headers for better-auth: without a session, which it would let stand in for the challenge, and
 *   then without counting wrong codes; undefined when there is no such challenge
 */
export const findChallenge = async (
  deps: AccountsDeps,
  request: RequestInfo,
): Promise<{ person: { id: string; email: string }; headers: Headers } | undefined> => {
  const { auth, secret } = deps.accounts.signIn;
  const { createAuthCookie, internalAdapter } = await auth.$context;
  const { name } = createAuthCookie(challengeCookie);
  const cookie = readCookie(request.headers['cookie'] as string | undefined, name);
  const identifier = cookie === undefined ? undefined : openSignedCookie(cookie, secret);
  if (cookie === undefined || identifier === undefined) return undefined;
  const challenge = await internalAdapter.findVerificationValue(identifier);
  const asked = personId.safeParse(challenge?.value);
  if (!asked.success) return undefined;
  const [person] = await deps.db.systemSql<{ id: string; email: string }[]>`
    select id, email from person where id = ${asked.data}`;
  if (person === undefined) return undefined;
  const headers = authHeaders(request);
  headers.set('cookie', `${name}=${cookie}`);
  return { person, headers };
};
