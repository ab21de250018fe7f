import type { RequestInfo } from '@impact-hub/core';
import type { AccountsDeps } from '../deps.ts';
import { signInFailed, tooManyAttempts } from '../problems.ts';
import { selectMemberships, type MembershipOfPerson } from '../repository.ts';
import { authHeaders, cookiesOf, unlessRefused } from './call-better-auth.ts';
import { hashSessionToken } from './hash-session-tokens.ts';
import { recordSignIn } from './record-sign-in.ts';

export type SignedIn = {
  person: { id: string; email: string; name: string };
  companies: MembershipOfPerson[];
  headers: Record<string, string[]>;
};

/** A second factor is asked for; the challenge is in the cookies. */
export type SecondFactorNeeded = { secondFactor: 'totp'; headers: Record<string, string[]> };

/** Counts an attempt against the limits of a subject: the account, unless another is given. @throws ProblemError `accounts.too_many_attempts` */
export const takeAttempt = async (
  deps: AccountsDeps,
  email: string,
  request: RequestInfo,
  subject: string = email,
): Promise<void> => {
  const { retryAfterSeconds, isFirstRefusal } = await deps.accounts.signIn.limiter.take(request.ip, subject);
  if (retryAfterSeconds === 0) return;
  // Only the first one of a window: the rest would let an attacker fill the log.
  if (isFirstRefusal) await recordSignIn(deps.db, { type: 'auth.sign_in_limited', result: 'denied', email }, request);
  throw tooManyAttempts({ headers: { 'retry-after': String(retryAfterSeconds) } });
};

/** Records a failed sign-in, then @throws ProblemError `accounts.sign_in_failed` */
export const refuse = async (
  deps: AccountsDeps,
  email: string,
  request: RequestInfo,
  reason: string,
): Promise<never> => {
  await recordSignIn(deps.db, { type: 'auth.sign_in_failed', result: 'failure', email, reason }, request);
  throw signInFailed();
};

/**
 * Finishes a sign-in that better-auth has accepted: it made the session on a connection of its own, so the audit event
 * comes right after; when it cannot be written, the session ends again.
 */
export const admit = async (
  deps: AccountsDeps,
  request: RequestInfo,
  accepted: { token: string; user: { id: string; email: string; name: string }; headers: Headers },
): Promise<SignedIn> => {
  const { token, user, headers } = accepted;
  const endSession = () => deps.db.systemSql`delete from session where token_hash = ${hashSessionToken(token)}`;
  const companies = await selectMemberships(deps.db.systemSql, user.id);
  if (companies.length === 0) {
    await endSession();
    return refuse(deps, user.email, request, 'no membership');
  }
  try {
    await recordSignIn(deps.db, { type: 'auth.signed_in', result: 'success', email: user.email }, request);
  } catch (error) {
    await endSession();
    throw error;
  }
  await deps.accounts.signIn.limiter.clear(request.ip, user.email);
  return { person: { id: user.id, email: user.email, name: user.name }, companies, headers: cookiesOf(headers) };
};

/**
 * Signs in with an e-mail address and a password. Unknown address, wrong password, no membership: one answer, and
 * better-auth hashes a password in each case, so that the time tells nothing either.
 *
 * @throws ProblemError `accounts.sign_in_failed`, `accounts.too_many_attempts`
 */
export const signInWithPassword = async (
  deps: AccountsDeps,
  input: { email: string; password: string },
  request: RequestInfo,
): Promise<SignedIn | SecondFactorNeeded> => {
  const email = input.email.toLowerCase();
  await takeAttempt(deps, email, request);
  const answer = await unlessRefused(
    deps.accounts.signIn.auth.api.signInEmail({
      body: { email, password: input.password },
      headers: authHeaders(request),
      returnHeaders: true,
    }),
  );
  if (answer === undefined) return refuse(deps, email, request, 'wrong credentials');
  const { response, headers } = answer;
  if ('twoFactorRedirect' in response) return { secondFactor: 'totp', headers: cookiesOf(headers) };
  return admit(deps, request, { token: response.token, user: response.user, headers });
};
