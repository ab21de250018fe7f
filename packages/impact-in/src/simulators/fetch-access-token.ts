import type { Fetch } from './simulate-partner.ts';

/** Gets an access token for a Workday endpoint by client credentials. @throws Error when the hub refuses */
export const fetchAccessToken = async (
  tokenUrl: string,
  client: { clientId: string; clientSecret: string },
  fetch: Fetch = globalThis.fetch,
): Promise<string> => {
  const credentials = [client.clientId, client.clientSecret].map(encodeURIComponent).join(':');
  const response = await fetch(tokenUrl, {
    method: 'POST',
    headers: { Authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
    redirect: 'error',
  });
  const answer = (await response.json()) as { access_token?: unknown; error?: unknown };
  if (!response.ok || typeof answer.access_token !== 'string')
    throw new Error(`no access token: ${response.status} ${String(answer.error)}`);
  return answer.access_token;
};
