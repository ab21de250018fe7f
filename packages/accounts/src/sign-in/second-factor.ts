import type { PersonPrincipal, RequestInfo } from '@impact-hub/core';
import { actorOf, recordAudit } from '@impact-hub/audit';
import type { AccountsDeps } from '../deps.ts';
import { secondFactorEnabled, signInFailed } from '../problems.ts';
import { authHeaders, cookiesOf, unlessRefused } from './call-better-auth.ts';
import { findChallenge } from './find-challenge.ts';
import { admit, refuse, takeAttempt, type SignedIn } from './sign-in-with-password.ts';
import { spendTotpCode } from './spend-totp-code.ts';

const totpCode = /^\d{6}$/;

/**
 * Second step of a sign-in: the code of the authenticator app, or a backup code. better-auth allows five codes per
 * challenge and locks the factor after ten wrong ones; each right code counts once.
 */
export const signInWithSecondFactor = async (
  deps: AccountsDeps,
  code: string,
  request: RequestInfo,
): Promise<SignedIn> => {
  const challenge = await findChallenge(deps, request);
  if (challenge === undefined) {
    await takeAttempt(deps, `second factor from ${request.ip}`, request);
    throw signInFailed();
  }
  const { person, headers } = challenge;
  const { auth, limiter } = deps.accounts.signIn;
  const subject = `second factor of ${person.id}`;
  await takeAttempt(deps, person.email, request, subject);
  const isTotp = totpCode.test(code);
  if (isTotp && !(await spendTotpCode(deps, person.id, code)))
    return refuse(deps, person.email, request, 'second factor used before');
  const call = { body: { code }, headers, returnHeaders: true } as const;
  const answer = await unlessRefused(isTotp ? auth.api.verifyTOTP(call) : auth.api.verifyBackupCode(call));
  const token = answer?.response.token;
  if (answer === undefined || token === undefined) return refuse(deps, person.email, request, 'wrong second factor');
  await limiter.clear(request.ip, subject);
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

/**
 * Starts the set-up of TOTP; it counts once `confirmTotp` has seen a first code. Not while one is on: better-auth would
 * put the new secret in the place of the working one.
 *
 * @throws ProblemError `accounts.second_factor_enabled`, `accounts.sign_in_failed`
 */
export const startTotp = async (
  deps: AccountsDeps,
  principal: PersonPrincipal,
  password: string,
  request: RequestInfo,
): Promise<{ totpUri: string; backupCodes: string[] }> => {
  const enabled = await deps.db.systemSql`
    select 1 from person where id = ${principal.personId} and two_factor_enabled`;
  if (enabled.length > 0) throw secondFactorEnabled();
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
  if (!(await spendTotpCode(deps, principal.personId, code))) throw signInFailed();
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
