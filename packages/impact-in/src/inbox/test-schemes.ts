import { bindModule, buildHttpServer, createHttpMetrics, createLogger, createMetrics } from '@impact-hub/core';
import type { ImpactInOptions } from '../create-impact-in.ts';
import { impactInModule } from '../module.ts';
import { fetchAccessToken } from '../simulators/fetch-access-token.ts';
import { signRequest } from '../simulators/sign-request.ts';
import type { CreateEndpointInput } from '../endpoints/schema.ts';
import { eventOf, type TestEndpoint, type TestHub } from '../test-hub.ts';
import { knownSenders } from '../verification/known-senders.ts';
import type { SchemeName } from '../verification/profile.ts';
import { audience, issuer, newIssuer, tokenOf } from '../verification/test-tokens.ts';

/** An endpoint of every scheme, and requests that it accepts; for tests. */
export const partnerKey = newIssuer('ES256');
export const jwtTrust = { issuer, audience, jwks: { keys: [partnerKey.jwk] } };

type Input = Omit<CreateEndpointInput, 'name'>;

export const inputOf: Record<SchemeName, Input> = {
  'benevity-hmac': { partner: 'benevity' },
  'goodera-hmac': { partner: 'goodera' },
  'workday-hmac': { partner: 'workday' },
  'standard-webhooks': { partner: 'goodera', scheme: 'standard-webhooks' },
  'custom-hmac': { partner: 'benevity', scheme: 'custom-hmac', profile: knownSenders.charityStack },
  'benevity-legacy': { partner: 'benevity', scheme: 'benevity-legacy', acceptWeak: true },
  'goodera-legacy': { partner: 'goodera', scheme: 'goodera-legacy', acceptWeak: true },
  'workday-legacy': { partner: 'workday', scheme: 'workday-legacy', acceptWeak: true },
  'workday-oauth': { partner: 'workday', scheme: 'workday-oauth' },
  'workday-jwt': { partner: 'workday', scheme: 'workday-jwt', jwt: jwtTrust },
  'benevity-jwt': { partner: 'benevity', scheme: 'benevity-jwt', jwt: jwtTrust },
  'workday-basic': { partner: 'workday', scheme: 'workday-basic', username: 'wörkday' },
  'goodera-unsigned': {
    partner: 'goodera',
    scheme: 'goodera-unsigned',
    acceptWeak: true,
    allowedNetworks: ['127.0.0.1'],
  },
};

let tokens = 0;
/** A token that was never used. */
export const freshToken = (atMs = Date.now()): string =>
  tokenOf(partnerKey, { jti: `token ${(tokens += 1)}` }, {}, atMs);

const fetchFrom =
  (hub: TestHub): typeof fetch =>
  async (url, init) => {
    const { pathname } = new URL(String(url));
    const answer = await hub.server.inject({
      method: 'POST',
      url: pathname,
      headers: { ...(init?.headers as Record<string, string>), 'content-type': 'application/x-www-form-urlencoded' },
      payload: String(init?.body),
    });
    return new Response(answer.body, { status: answer.statusCode });
  };

/** What `signRequest` needs as its secret. */
export const credentialOf = async (hub: TestHub, endpoint: TestEndpoint): Promise<string> => {
  const { credentials } = endpoint;
  if ('secret' in credentials) return credentials.secret;
  if ('clientSecret' in credentials)
    return fetchAccessToken('http://hub.test/oauth/token', credentials, fetchFrom(hub));
  if ('password' in credentials) return `${credentials.username}:${credentials.password}`;
  return 'headerToken' in credentials ? credentials.headerToken : freshToken();
};

export type Sending = { url: string; headers: Record<string, string>; body: Buffer };

/** A request as the endpoint's partner would send it. */
export const requestFor = async (
  hub: TestHub,
  endpoint: TestEndpoint,
  seed: string,
  body?: Buffer,
  nowMs = Date.now(),
): Promise<Sending> => {
  const { partner, credentials } = endpoint;
  const scheme = endpoint.scheme as SchemeName;
  const { profile } = inputOf[scheme];
  const event = eventOf(partner, seed, { nowMs });
  const secret = await credentialOf(hub, endpoint);
  const request = signRequest({
    scheme,
    secret,
    body: body ?? event.body,
    nowMs,
    eventId: event.eventId,
    ...(profile === undefined ? {} : { profile }),
  });
  const query = 'urlToken' in credentials ? `?token=${credentials.urlToken}` : '';
  return { ...request, url: `/webhooks/${partner}/${endpoint.id}${query}` };
};

export const send = (hub: Pick<TestHub, 'server'>, { url, headers, body }: Sending) =>
  hub.server.inject({ method: 'POST', url, headers, payload: body });

/** Another process of the same hub, as far as webhooks go. */
export const openOther = async (
  hub: TestHub,
  overrides: Partial<ImpactInOptions> = {},
  log = createLogger({ level: 'silent' }),
) => {
  const impactIn = await hub.open(overrides);
  const server = buildHttpServer({
    modules: [bindModule(impactInModule, impactIn.deps)],
    authorize: () => {
      throw new Error('webhooks only');
    },
    log,
    metrics: createHttpMetrics(createMetrics()),
  });
  await server.ready();
  const close = async () => {
    await server.close();
    await impactIn.stop();
  };
  return { server, impactIn, close };
};
