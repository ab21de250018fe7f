import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { fetchAccessToken, mintToken, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import type { EndpointCredentials } from '../credentials.ts';
import type { HubClient } from './hub-client.ts';

/** An endpoint with what its partner knows of it. */
export type DemoEndpoint = {
  id: string;
  partner: PartnerName;
  scheme: SchemeName;
  url: string;
  /** What the next request is signed with. */
  credential(): string;
};

/** An endpoint of credentials.json. @param baseUrl where tokens are issued */
export const openKept = async (baseUrl: string, kept: EndpointCredentials): Promise<DemoEndpoint> => {
  const credential = 'secret' in kept ? kept.secret : await fetchAccessToken(`${baseUrl}/oauth/token`, kept);
  const { endpointId: id, url } = kept;
  return {
    id,
    url,
    partner: kept.partner as PartnerName,
    scheme: kept.scheme as SchemeName,
    credential: () => credential,
  };
};

type Made = {
  id: string;
  url: string;
  secret?: string;
  username?: string;
  password?: string;
  urlToken?: string;
  headerToken?: string;
};

const path = '/api/v1/impact-in/endpoints';
const jwt = { issuer: 'https://partner.example', audience: 'impact-hub-demo' };
const keyId = 'demo';

const makeOne = async (hub: HubClient, partner: PartnerName, scheme: SchemeName, more: object = {}): Promise<Made> =>
  hub.change<Made>('POST', path, { partner, scheme, name: `Demo ${scheme}`, ...more });

const bySecret = (made: Made): string => made.secret ?? made.headerToken ?? `${made.username}:${made.password}`;

/** A partner that signs tokens with a key of its own, of which the endpoint knows the public half. */
const makeJwtEndpoint = async (hub: HubClient): Promise<DemoEndpoint> => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: 'ES256', use: 'sig' };
  const made = await makeOne(hub, 'workday', 'workday-jwt', { jwt: { ...jwt, jwks: { keys: [jwk] } } });
  const credential = (): string => {
    const iat = Math.floor(Date.now() / 1_000);
    const claims = { iss: jwt.issuer, aud: jwt.audience, jti: randomUUID(), iat, exp: iat + 300 };
    return mintToken({ algorithm: 'ES256', keyId, privateKey, claims });
  };
  return { id: made.id, url: made.url, partner: 'workday', scheme: 'workday-jwt', credential };
};

const simple: [PartnerName, SchemeName, object?][] = [
  ['goodera', 'standard-webhooks'],
  ['workday', 'workday-basic'],
  ['benevity', 'benevity-legacy', { acceptWeak: true }],
  ['goodera', 'goodera-unsigned', { acceptWeak: true, allowedNetworks: ['127.0.0.1', '::1'] }],
];

/** Makes endpoints of further schemes; `forget` deletes them, and keeps what they received. */
export const makeDemoEndpoints = async (
  hub: HubClient,
): Promise<{ endpoints: DemoEndpoint[]; forget(): Promise<void> }> => {
  const endpoints: DemoEndpoint[] = [await makeJwtEndpoint(hub)];
  for (const [partner, scheme, more] of simple) {
    const made = await makeOne(hub, partner, scheme, more);
    const url = made.urlToken === undefined ? made.url : `${made.url}?token=${made.urlToken}`;
    endpoints.push({ id: made.id, url, partner, scheme, credential: () => bySecret(made) });
  }
  const forget = async (): Promise<void> => {
    for (const { id } of endpoints) await hub.change('DELETE', `${path}/${id}`);
  };
  return { endpoints, forget };
};
