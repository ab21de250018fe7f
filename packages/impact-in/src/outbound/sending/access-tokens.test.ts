import { systemClock } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { partnerApis } from '../partner-apis.ts';
import { createAccessTokens } from './access-tokens.ts';
import type { HttpCall } from './http-client.ts';

const connection = {
  id: 'c',
  companyId: 'co',
  baseUrl: 'https://api.example.org',
  tenant: null,
  revision: 1,
  apiName: 'goodera',
  api: partnerApis.goodera,
  credentials: { clientId: 'id', clientSecret: 'secret' },
} as const;

/** Tokens from a partner that answers with these, one after the other. */
const tokensOf = (...answers: { status: number; fields: object }[]) => {
  const bodies: string[] = [];
  const call = ({ body = '' }: HttpCall) => {
    bodies.push(body);
    const { status, fields } = answers.shift() ?? { status: 500, fields: {} };
    return Promise.resolve({ status, headers: {}, body: JSON.stringify(fields) });
  };
  const http = { call, close: () => Promise.resolve() };
  return { tokens: createAccessTokens({ http, clock: systemClock }), bodies };
};
const first = (refreshToken: unknown) => ({
  status: 200,
  fields: { access_token: 'access-1', refresh_token: refreshToken },
});

test('a refresh token that the partner echoes does not get into what is said of it', async () => {
  const { tokens } = tokensOf(first('refresh-me"1'), {
    status: 503,
    fields: { error_description: 'refresh-me"1 or "refresh-me\\"1" is broken, refresh-me&quot;1' },
  });
  expect(await tokens.get(connection)).toBe('access-1');
  const said = tokens.get(connection, 'access-1');
  await expect(said).rejects.toThrow('no access token: [removed] or "[removed]" is broken, [removed]');
});

test.each(['x'.repeat(9_000), 'with space', '', 7, null])('a refresh token that is none is not kept', async (given) => {
  const { tokens, bodies } = tokensOf(first(given), { status: 200, fields: { access_token: 'access-2' } });
  await tokens.get(connection);
  expect(await tokens.get(connection, 'access-1')).toBe('access-2');
  expect(bodies).toEqual(Array(2).fill('grant_type=client_credentials&client_id=id&client_secret=secret'));
});
