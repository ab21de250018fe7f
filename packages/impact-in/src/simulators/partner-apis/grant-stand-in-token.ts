import type { PartnerState } from './partner-state.ts';
import type { Answered, Arrived, StandInCredentials } from './stand-in-apis.ts';

const tokenPaths = [/^\/oauth2\/token$/, /^\/oauth\/token$/, /^\/ccx\/oauth2\/[^/]+\/token$/];

export const isTokenPath = (path: string): boolean => tokenPaths.some((pattern) => pattern.test(path));

const clientOf = (arrived: Arrived, form: URLSearchParams): [string, string] => {
  const header = String(arrived.headers['authorization'] ?? '');
  if (!header.startsWith('Basic ')) return [form.get('client_id') ?? '', form.get('client_secret') ?? ''];
  const [id = '', secret = ''] = Buffer.from(header.slice(6), 'base64')
    .toString('utf8')
    .split(':')
    .map(decodeURIComponent);
  return [id, secret];
};

/** Answers a token request: client credentials, or a refresh token, each of which is good once. */
export const grantStandInToken = (
  arrived: Arrived,
  credentials: StandInCredentials,
  state: PartnerState,
  lifetimeSeconds: number,
): Answered => {
  const form = new URLSearchParams(arrived.body);
  const [id, secret] = clientOf(arrived, form);
  if (id !== credentials.clientId || secret !== credentials.clientSecret)
    return { status: 401, body: { error: 'invalid_client' } };
  const grant = form.get('grant_type');
  if (grant === 'refresh_token' && !state.acceptsRefresh(form.get('refresh_token') ?? ''))
    return { status: 400, body: { error: 'invalid_grant' } };
  if (grant !== 'refresh_token' && grant !== 'client_credentials')
    return { status: 400, body: { error: 'unsupported_grant_type' } };
  const { accessToken, refreshToken } = state.issueToken(id, lifetimeSeconds);
  return {
    status: 200,
    body: { access_token: accessToken, refresh_token: refreshToken, token_type: 'Bearer', expires_in: lifetimeSeconds },
  };
};
