import { connectSql, type Clock, type Database, type PersonPrincipal } from '@impact-hub/core';
import { authenticateSession, type RequestHeaders } from './authenticate-session.ts';
import type { ScopeCatalogue } from './roles.ts';
import { createAttemptLimiter, type AttemptLimiter } from './sign-in/attempt-limiter.ts';
import { createBetterAuth, type BetterAuth, type OidcSettings } from './sign-in/create-better-auth.ts';
import { openLazily } from './sign-in/open-lazily.ts';
import { readCookie, sessionCookieName } from './sign-in/session-cookie.ts';

export type AccountsOptions = {
  db: Database;
  /** Login of the system role; better-auth gets a small pool of its own. */
  systemUrl: string;
  /** Signs cookies, keys the counters, encrypts TOTP secrets. At least 32 characters. */
  secret: string;
  /** Where browsers reach the hub; decides about `Secure` cookies and what counts as the same origin. */
  publicUrl: string;
  clock: Clock;
  scopeCatalogue: ScopeCatalogue;
  oidc?: OidcSettings;
  onError?(error: unknown): void;
};

export type Accounts = {
  /**
   * Who the session cookie belongs to; null without a valid one. Reads Postgres each time, so that an ended session
   * and a disabled membership count at once in every process.
   *
   * @param options.companyRequired false lets a person with several companies leave `X-Company-Id` out; the
   *   longest membership then counts
   * @throws ProblemError `request.invalid` naming `X-Company-Id`, `request.not_found` for a company of others
   */
  authenticate(headers: RequestHeaders, options?: { companyRequired?: boolean }): Promise<PersonPrincipal | null>;
  /** Whether the request carries a session cookie at all, valid or not. */
  hasSessionCookie(headers: RequestHeaders): boolean;
  publicUrl: string;
  /** For this package's own routes. */
  signIn: {
    auth: BetterAuth;
    /** The same with the identity provider; null when none is set up. Rejects while the provider cannot be reached. */
    oidcAuth: (() => Promise<BetterAuth>) | null;
    limiter: AttemptLimiter;
    secret: string;
    cookieName: string;
    isSecure: boolean;
  };
  stop(): Promise<void>;
};

const minSecretLength = 32;

/** People, sessions and sign-in over better-auth. @throws Error when the secret is too short */
export const createAccounts = (options: AccountsOptions): Accounts => {
  const { db, secret, publicUrl, clock, scopeCatalogue, oidc, onError = () => undefined } = options;
  if (secret.length < minSecretLength)
    throw new Error(`the sign-in secret needs at least ${minSecretLength} characters`);
  const sql = connectSql(options.systemUrl, { maxConnections: 3, applicationName: 'hub-sign-in' });
  const cookieName = sessionCookieName(publicUrl);
  const settings = { sql, secret, publicUrl, onError };
  const auth = createBetterAuth(settings);
  // Apart from the other one: better-auth reads the provider's description once at its start and is of no use at all
  // when that fails, which must not keep anybody from signing in with a password.
  const openOidc = async (provider: OidcSettings): Promise<BetterAuth> => {
    const withProvider = createBetterAuth({ ...settings, oidc: provider });
    await withProvider.$context;
    return withProvider;
  };
  const limiter = createAttemptLimiter({ sql: db.systemSql, secret, clock });
  return {
    authenticate: (headers, { companyRequired = true } = {}) =>
      authenticateSession({ sql: db.systemSql, secret, cookieName, clock, scopeCatalogue }, headers, companyRequired),
    hasSessionCookie: (headers) => readCookie(headers['cookie'] as string | undefined, cookieName) !== undefined,
    publicUrl,
    signIn: {
      auth,
      oidcAuth: oidc === undefined ? null : openLazily(() => openOidc(oidc)),
      limiter,
      secret,
      cookieName,
      isSecure: publicUrl.startsWith('https:'),
    },
    stop: () => sql.end({ timeout: 5 }),
  };
};
