import { betterAuth } from 'better-auth';
import { drizzleAdapter } from 'better-auth/adapters/drizzle';
import { genericOAuth, twoFactor } from 'better-auth/plugins';
import { drizzle } from 'drizzle-orm/postgres-js';
import { newId, type Sql } from '@impact-hub/core';
import { signInModels } from '../tables.ts';
import { hashSessionTokens } from './hash-session-tokens.ts';
import { proveEmailByProvider } from './prove-email-by-provider.ts';

export type OidcSettings = {
  /** The issuer's address; `/.well-known/openid-configuration` below it is read at the start. */
  issuer: string;
  clientId: string;
  clientSecret: string;
};

export type BetterAuthSettings = {
  /** A client of its own: `drizzle()` changes the date parsers of the client it is given. */
  sql: Sql;
  secret: string;
  publicUrl: string;
  oidc?: OidcSettings | undefined;
  onError(error: unknown): void;
};

export const authBasePath = '/api/v1/auth';
export const oidcProviderId = 'oidc';
/** Carries the address of the caller, resolved through trusted proxies only, from our routes to better-auth. */
export const clientIpHeader = 'x-hub-client-ip';
/** A working day. Sessions are not prolonged. */
const sessionSeconds = 12 * 3_600;

const withoutProviderTokens = async (account: object) => ({
  data: { ...account, accessToken: null, refreshToken: null, idToken: null },
});

const oidcPlugin = (oidc: OidcSettings) =>
  genericOAuth({
    config: [
      {
        providerId: oidcProviderId,
        discoveryUrl: `${oidc.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
        clientId: oidc.clientId,
        clientSecret: oidc.clientSecret,
        scopes: ['openid', 'email', 'profile'],
        pkce: true,
        requireIdTokenVerification: true,
        disableSignUp: true,
      },
    ],
  });

/**
 * better-auth with what the hub uses of it: password sign-in (scrypt), OIDC, TOTP. Accounts are made by the hub alone,
 * attempts are limited by the hub, sessions are read by the hub; none of its HTTP endpoints is served by itself.
 */
export const createBetterAuth = (settings: BetterAuthSettings) =>
  betterAuth({
    appName: 'Impact Hub',
    baseURL: settings.publicUrl,
    basePath: authBasePath,
    secret: settings.secret,
    database: hashSessionTokens(
      drizzleAdapter(drizzle(settings.sql, { schema: signInModels }), {
        provider: 'pg',
        schema: signInModels,
        transaction: true,
      }),
    ),
    emailAndPassword: { enabled: true, disableSignUp: true, minPasswordLength: 12, maxPasswordLength: 128 },
    session: { expiresIn: sessionSeconds, disableSessionRefresh: true, cookieCache: { enabled: false } },
    verification: { storeIdentifier: 'hashed' },
    account: { accountLinking: { enabled: true, requireLocalEmailVerified: false, trustedProviders: [] } },
    databaseHooks: {
      account: {
        create: { before: withoutProviderTokens, after: (account) => proveEmailByProvider(settings.sql, account) },
        update: { before: withoutProviderTokens },
      },
    },
    plugins: [twoFactor({ issuer: 'Impact Hub' }), ...(settings.oidc === undefined ? [] : [oidcPlugin(settings.oidc)])],
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    advanced: {
      cookiePrefix: 'hub',
      useSecureCookies: settings.publicUrl.startsWith('https:'),
      database: { generateId: () => newId() },
      ipAddress: { ipAddressHeaders: [clientIpHeader], ipv6Subnet: 128 },
    },
    logger: {
      level: 'error',
      log: (_level, message) => settings.onError(new Error(`better-auth: ${message}`)),
    },
  });

export type BetterAuth = ReturnType<typeof createBetterAuth>;
