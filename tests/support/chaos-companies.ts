import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { partnerApis, type PartnerApiName, type PartnerApis } from '@impact-hub/impact-in';

export type ChaosEndpoint = { partner: string; endpointId: string; scheme: string } & (
  | { secret: string }
  | { clientId: string; clientSecret: string }
  | { username: string; password: string }
);
export type ChaosConnection = { id: string; api: PartnerApiName; partner: string };

/** One of several companies of an installation, as those who integrate it know it. */
export type ChaosCompany = {
  name: string;
  apiKey: string;
  endpoints: readonly ChaosEndpoint[];
  connections: readonly ChaosConnection[];
};

type Credentials = {
  baseUrl: string;
  apiKey: string;
  admin: { email: string; password: string };
  endpoints: ChaosEndpoint[];
};

const password = 'a password for the second company';

type Answered = { body: unknown; cookie: string };

const post = async (address: string, headers: Record<string, string>, body: object): Promise<Answered> => {
  const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } };
  const response = await fetch(address, { ...init, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${address}: ${response.status} ${text}`);
  const cookie = response.headers.getSetCookie().map((line) => line.split(';', 1)[0]);
  return { body: JSON.parse(text), cookie: cookie.join('; ') };
};

/** A second company beside the first, made as its administrators would. @returns an API key of all it may do */
const addCompany = async ({ baseUrl, admin }: Credentials): Promise<string> => {
  const browser = { origin: baseUrl };
  const { cookie } = await post(`${baseUrl}/api/v1/auth/sign-in`, browser, admin);
  const email = 'second@example.org';
  const { body: company } = await post(
    `${baseUrl}/api/v1/companies`,
    { ...browser, cookie },
    { name: 'Second company', administrator: { email, name: 'Second administrator' } },
  );
  const { token } = (company as { invitation: { token: string } }).invitation;
  await post(`${baseUrl}/api/v1/auth/accept-invitation`, browser, { token, password });
  const second = await post(`${baseUrl}/api/v1/auth/sign-in`, browser, { email, password });
  const scopes = [
    'deliveries:read',
    'deliveries:send',
    'deliveries:replay',
    'endpoints:manage',
    'connections:manage',
    'audit:read',
  ];
  const { body: made } = await post(
    `${baseUrl}/admin/api-keys`,
    { ...browser, cookie: second.cookie },
    { name: 'Chaos', environment: 'live', scopes, rateLimitPerMinute: 1_000_000 },
  );
  return (made as { key: string }).key;
};

const addEndpoint = async (
  baseUrl: string,
  apiKey: string,
  partner: string,
  scheme: string,
): Promise<ChaosEndpoint> => {
  const { body } = await post(
    `${baseUrl}/api/v1/impact-in/endpoints`,
    { 'x-api-key': apiKey },
    { partner, scheme, name: scheme },
  );
  const made = body as ChaosEndpoint & { id: string };
  return { ...made, endpointId: made.id };
};

const credentialsOf: Record<'benevity' | 'goodera-key' | 'workday-rest' | 'workday-soap', readonly string[]> = {
  benevity: ['apiKey', 'signingSecret'],
  'goodera-key': ['apiKey'],
  'workday-rest': ['clientId', 'clientSecret'],
  'workday-soap': ['username', 'password'],
};
type ChaosApi = keyof typeof credentialsOf;
/** The stand-ins answer as fast as they are asked. */
const requestsPerMinute = 60_000;

const addConnection = async (
  baseUrl: string,
  apiKey: string,
  standIns: PartnerApis,
  api: ChaosApi,
): Promise<ChaosConnection> => {
  const entries = credentialsOf[api].map((name) => [name, standIns.credentials[name as 'apiKey']]);
  const tenant = api.startsWith('workday') ? { tenant: 'acme' } : {};
  const { body } = await post(
    `${baseUrl}/api/v1/impact-in/connections`,
    { 'x-api-key': apiKey },
    {
      api,
      name: api,
      baseUrl: standIns.baseUrl,
      ...tenant,
      credentials: Object.fromEntries(entries),
      requestsPerMinute,
    },
  );
  return { id: (body as { id: string }).id, api, partner: partnerApis[api].partner };
};

const connectionsOf = async (
  baseUrl: string,
  apiKey: string,
  standIns: PartnerApis,
  apis: readonly ChaosApi[],
): Promise<ChaosConnection[]> => Promise.all(apis.map((api) => addConnection(baseUrl, apiKey, standIns, api)));

/** Gives a fresh installation two companies with endpoints of most schemes and connections to the stand-ins. */
export const foundCompanies = async (dataDir: string, standIns: PartnerApis): Promise<ChaosCompany[]> => {
  const credentials = JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as Credentials;
  const { baseUrl, apiKey } = credentials;
  const secondKey = await addCompany(credentials);
  const endpoint = (key: string, partner: string, scheme: string) => addEndpoint(baseUrl, key, partner, scheme);
  return [
    {
      name: 'first',
      apiKey,
      endpoints: [
        ...credentials.endpoints,
        await endpoint(apiKey, 'goodera', 'standard-webhooks'),
        await endpoint(apiKey, 'workday', 'workday-basic'),
      ],
      connections: await connectionsOf(baseUrl, apiKey, standIns, ['benevity', 'goodera-key']),
    },
    {
      name: 'second',
      apiKey: secondKey,
      endpoints: [
        await endpoint(secondKey, 'benevity', 'benevity-hmac'),
        await endpoint(secondKey, 'workday', 'workday-hmac'),
      ],
      connections: await connectionsOf(baseUrl, secondKey, standIns, ['workday-rest', 'workday-soap']),
    },
  ];
};
