import type { Clock } from '@impact-hub/core';
import type { OpenConnection } from '../connections/open-connection.ts';
import { CallFailed, type HttpCall, type HttpClient } from './http-client.ts';
import { addressOf } from './build-request.ts';
import { createEraser } from './erase-texts.ts';
import { maxTextCharacters, parseFields, textAt, type Fields } from './read-answer.ts';
import { writtenForms } from './written-forms.ts';

/** The partner gave no token. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
  readonly status: number;
  /** The client's credentials are wrong, rather than the service in trouble. */
  readonly isOfCredentials: boolean;
  constructor(status: number, reason: string, isOfCredentials: boolean) {
    super(reason);
    this.status = status;
    this.isOfCredentials = isOfCredentials;
  }
}

type Token = { accessToken: string; refreshToken: string | null; renewAtMs: number };

export type AccessTokens = {
  /**
   * The access token of a connection, obtained when there is none that lasts.
   * @param refused a token the partner has just refused: it is not used again
   * @throws TokenRefused or CallFailed
   */
  get(connection: OpenConnection, refused?: string): Promise<string>;
};

/** Partners say an hour; less than a minute is not worth keeping, and more than a day not worth believing. */
const lifetimeOf = (answer: Fields): number => {
  const seconds = Number(answer['expires_in'] ?? 3_600);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), 86_400) : 3_600;
};
/** Renewed before it ends: a minute, or a fifth of what does not last five. */
const renewAfterMs = (seconds: number): number => (seconds - Math.min(60, seconds / 5)) * 1_000;

/** As RFC 6749 §2.3.1 has it, but for spaces. */
export const basicPair = (id: string, secret: string): string =>
  `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`;
const basic = (id: string, secret: string): string => `Basic ${Buffer.from(basicPair(id, secret)).toString('base64')}`;

type Grant = { grant_type: string; refresh_token?: string };

const tokenCall = (connection: OpenConnection, grant: Grant): HttpCall => {
  const { api, credentials } = connection;
  if (api.auth.kind !== 'oauth') throw new TypeError(`${connection.apiName} has no tokens`);
  const { clientId = '', clientSecret = '' } = credentials;
  const byForm = api.auth.client === 'form';
  return {
    method: 'POST',
    url: addressOf(connection, api.auth.tokenPath),
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'impact-hub',
      ...(byForm ? {} : { authorization: basic(clientId, clientSecret) }),
    },
    body: new URLSearchParams({
      ...grant,
      ...(byForm ? { client_id: clientId, client_secret: clientSecret } : {}),
    }).toString(),
  };
};

/** Tokens are no longer than headers may be, and have nothing in them that headers cannot hold (RFC 6750 §2.1). */
const tokenPattern = /^[\x21-\x7e]{1,8192}$/;

/**
 * Keeps the access tokens of connections, in memory only. Whoever needs one while it is being obtained waits for the
 * same answer.
 */
export const createAccessTokens = (deps: { http: HttpClient; clock: Clock; maxTokens?: number }): AccessTokens => {
  const { http, clock, maxTokens = 10_000 } = deps;
  const kept = new Map<string, Token>();
  const underWay = new Map<string, Promise<Token>>();

  const ask = async (connection: OpenConnection, grant: Grant): Promise<Token> => {
    const answer = await http.call(tokenCall(connection, grant));
    const fields = parseFields(answer.body) ?? {};
    const accessToken = fields['access_token'];
    if (answer.status === 200 && typeof accessToken === 'string' && tokenPattern.test(accessToken)) {
      const { refresh_token: given } = fields;
      const refreshToken = typeof given === 'string' && tokenPattern.test(given) ? given : null;
      return { accessToken, refreshToken, renewAtMs: clock.nowMs() + renewAfterMs(lifetimeOf(fields)) };
    }
    const isOfCredentials = [400, 401, 403].includes(answer.status);
    const reason = textAt(fields, ['error_description', 'error']) ?? `status ${answer.status}`;
    const eraseToken = createEraser(writtenForms(grant.refresh_token ?? ''), maxTextCharacters);
    throw new TokenRefused(answer.status, `no access token: ${eraseToken(reason)}`, isOfCredentials);
  };
  const obtain = async (connection: OpenConnection, refreshToken: string | null): Promise<Token> => {
    if (refreshToken !== null)
      try {
        return await ask(connection, { grant_type: 'refresh_token', refresh_token: refreshToken });
      } catch (error) {
        // A refresh token that is not accepted any more is no reason to fail: the credentials get a new one.
        if (error instanceof CallFailed || !(error as TokenRefused).isOfCredentials) throw error;
      }
    return ask(connection, { grant_type: 'client_credentials' });
  };

  return {
    get: async (connection, refused) => {
      const name = `${connection.id}/${connection.revision}`;
      const held = kept.get(name);
      if (held !== undefined && held.accessToken !== refused && clock.nowMs() < held.renewAtMs) return held.accessToken;
      let obtaining = underWay.get(name);
      if (obtaining === undefined) {
        obtaining = obtain(connection, held?.refreshToken ?? null).finally(() => underWay.delete(name));
        underWay.set(name, obtaining);
      }
      const token = await obtaining;
      kept.delete(name);
      kept.set(name, token);
      for (const oldest of kept.keys()) {
        if (kept.size <= maxTokens) break;
        kept.delete(oldest);
      }
      return token.accessToken;
    },
  };
};
