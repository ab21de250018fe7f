import { newId } from '@impact-hub/core';
import type { TestEndpoint, TestHub } from '../test-hub.ts';
import { requestFor, send } from '../inbox/test-schemes.ts';
import type { EndpointCredentials } from './new-secrets.ts';

/** Calls about endpoints over HTTP, and what their receivers make of it; for tests. */
export const callEndpoints = async (
  hub: TestHub,
  companyId: string,
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
) => {
  const answer = await hub.server.inject({
    method,
    url: `/api/v1/impact-in/endpoints${path}`,
    headers: { 'x-test-company': companyId },
    ...(body === undefined ? {} : { payload: body }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() };
};

/** Asks for a new endpoint as a company does. @returns the answer as it came, whatever it says */
export const postEndpoint = (hub: TestHub, companyId: string, body: object) =>
  hub.server.inject({
    method: 'POST',
    url: '/api/v1/impact-in/endpoints',
    headers: { 'x-test-company': companyId },
    payload: body,
  });

/** The credentials in the answer that shows them. */
export const shownCredentials = (answer: Record<string, string>): EndpointCredentials => {
  const { id = '', secret, clientSecret, username = '', password, urlToken, headerToken = '' } = answer;
  if (clientSecret !== undefined) return { clientId: id, clientSecret };
  if (password !== undefined) return { username, password };
  if (urlToken !== undefined) return { urlToken, headerToken };
  return secret === undefined ? { nothing: true } : { secret };
};

/** Whether a process takes a new event that is proven by these credentials, as the partner would send it. */
export const isAccepted = async (
  hub: Pick<TestHub, 'server'>,
  endpoint: TestEndpoint,
  credentials: EndpointCredentials,
  nowMs = Date.now(),
): Promise<boolean> => {
  const request = await requestFor(hub as TestHub, { ...endpoint, credentials }, newId(), undefined, nowMs).catch(
    () => null,
  );
  if (request === null) return false;
  const { statusCode } = await send(hub, request);
  if (![200, 202, 401].includes(statusCode)) throw new Error(`the receiver answered ${statusCode}`);
  return statusCode !== 401;
};
