import type { PersonPrincipal, RequestInfo } from '@impact-hub/core';
import { actorOf, recordAudit } from '@impact-hub/audit';
import type { AccountsDeps } from '../deps.ts';
import { signInFailed } from '../problems.ts';
import { authHeaders, cookiesOf, unlessRefused } from './call-better-auth.ts';
import { admit, takeAttempt, type SignedIn } from './sign-in-with-password.ts';

/**
 * Second step of a sign-in: the code of the authenticator app, or a backup code. better-auth allows five codes per
 * challenge and locks the factor after ten wrong ones.
 */
export const signInWithSecondFactor = async (
  deps: AccountsDeps,
  code: string,
  request: RequestInfo,
): Promise<SignedIn> => {
  await takeAttempt(deps, `second factor from ${request.ip}`, request);
  const call = { body: { code }, headers: authHeaders(request), returnHeaders: true } as const;
  const { api } = deps.accounts.signIn.auth;
  const answer = await unlessRefused(/^\d{6}$/.test(code) ? api.verifyTOTP(call) : api.verifyBackupCode(call));
  const token = answer?.response.token;
  if (answer === undefined || token === undefined) throw signInFailed();
  return admit(deps, request, { token, user: answer.response.user, headers: answer.headers });
};

const record = (deps: AccountsDeps, principal: PersonPrincipal, type: string, request: RequestInfo): Promise<string> =>
  deps.db.company(principal.companyId, (tx) =>
    recordAudit(tx, {
      type,
      category: 'security',
      actor: actorOf(principal),
      resource: { type: 'person', id: principal.personId },
      request,
    }),
  );

/** Starts the set-up of TOTP; it counts once `confirmTotp` has seen a first code. @throws ProblemError `accounts.sign_in_failed` */
export const startTotp = async (
  deps: AccountsDeps,
  principal: PersonPrincipal,
  password: string,
  request: RequestInfo,
): Promise<{ totpUri: string; backupCodes: string[] }> => {
  await takeAttempt(deps, principal.email, request);
  const answer = await unlessRefused(
    deps.accounts.signIn.auth.api.enableTwoFactor({
      body: { password, method: 'totp' },
      headers: authHeaders(request),
    }),
  );
  if (answer === undefined || answer.method !== 'totp') throw signInFailed();
  await record(deps, principal, 'auth.totp_started', request);
  return { totpUri: answer.totpURI, backupCodes: answer.backupCodes };
};

/** Turns TOTP on. @returns the cookies of the session that replaces the present one */
export const confirmTotp = async (
  deps: AccountsDeps,
  principal: PersonPrincipal,
  code: string,
  request: RequestInfo,
): Promise<Record<string, string[]>> => {
  await takeAttempt(deps, principal.email, request);
  const answer = await unlessRefused(
    deps.accounts.signIn.auth.api.verifyTOTP({ body: { code }, headers: authHeaders(request), returnHeaders: true }),
  );
  if (answer === undefined) throw signInFailed();
  await record(deps, principal, 'auth.totp_enabled', request);
  return cookiesOf(answer.headers);
};

/** Turns TOTP off. @throws ProblemError `accounts.sign_in_failed` */
export const disableTotp = async (
  deps: AccountsDeps,
  principal: PersonPrincipal,
  password: string,
  request: RequestInfo,
): Promise<Record<string, string[]>> => {
  await takeAttempt(deps, principal.email, request);
  const answer = await unlessRefused(
    deps.accounts.signIn.auth.api.disableTwoFactor({
      body: { password },
      headers: authHeaders(request),
      returnHeaders: true,
    }),
  );
  if (answer === undefined) throw signInFailed();
  await record(deps, principal, 'auth.totp_disabled', request);
  return cookiesOf(answer.headers);
};
