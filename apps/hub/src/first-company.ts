import { randomBytes } from 'node:crypto';
import { createCompany, createPerson } from '@impact-hub/accounts';
import { addNewScopes, createApiKey } from '@impact-hub/api-keys';
import type { ComposedHub } from './compose.ts';
import { createEndpoint } from '@impact-hub/impact-in';
import {
  confirmCredentials,
  readCredentials,
  readPendingCredentials,
  writePendingCredentials,
  type Credentials,
} from './credentials.ts';

const companyName = 'First company';
const adminEmail = 'admin@impact-hub.example';
const keyRateLimitPerMinute = 1_000_000;
/** Workday gets both ways it can authenticate: signing, and tokens issued by the hub. */
const firstEndpoints = [
  { partner: 'benevity', scheme: 'benevity-hmac', name: 'Benevity' },
  { partner: 'goodera', scheme: 'goodera-hmac', name: 'Goodera' },
  { partner: 'workday', scheme: 'workday-hmac', name: 'Workday' },
  { partner: 'workday', scheme: 'workday-oauth', name: 'Workday (OAuth)' },
] as const;

const setup = { actor: { kind: 'system', id: 'setup' } } as const;

type Place = { dataDir: string; baseUrl: string };

const isEmpty = async (hub: ComposedHub): Promise<boolean> =>
  (await hub.db.systemSql`select 1 from company limit 1`).length === 0;

const createCompanyAndAdministrator = (hub: ComposedHub, { dataDir, baseUrl }: Place): Promise<void> =>
  hub.db.system(async (tx) => {
    const password = randomBytes(18).toString('base64url');
    const { id: companyId } = await createCompany(tx, hub, setup, { name: companyName });
    const administrator = { email: adminEmail, name: 'Administrator', role: 'system_admin', password } as const;
    await createPerson(tx, hub, setup, { companyId, ...administrator });
    const admin = { email: adminEmail, password };
    await writePendingCredentials(dataDir, { baseUrl, admin, companyId, apiKey: '', endpoints: [] });
  });

const createKeyAndEndpoints = (hub: ComposedHub, dataDir: string, pending: Credentials): Promise<void> =>
  hub.db.company(pending.companyId, async (tx) => {
    if ((await tx.sql`select 1 from api_key limit 1`).length > 0) return;
    const maker = { ...setup, scopes: null };
    const { key } = await createApiKey(tx, hub, maker, {
      name: 'First key',
      environment: 'live',
      scopes: Object.keys(hub.scopeCatalogue),
      rateLimitPerMinute: keyRateLimitPerMinute,
      allowedIps: [],
      metadata: {},
    });
    const endpoints: Credentials['endpoints'] = [];
    for (const { partner, scheme, name } of firstEndpoints) {
      const { endpoint, credentials } = await createEndpoint(tx, hub.impactIn.deps, setup, { partner, scheme, name });
      if (!('secret' in credentials || 'clientSecret' in credentials)) continue;
      const url = `${pending.baseUrl}/webhooks/${partner}/${endpoint.id}`;
      endpoints.push({ partner, endpointId: endpoint.id, url, scheme, ...credentials });
    }
    await writePendingCredentials(dataDir, { ...pending, apiKey: key, endpoints });
  });

/**
 * Creates the first company with its administrator, an API key of all scopes and one endpoint per partner scheme, and
 * writes credentials.json; does nothing when a company exists. Each step writes the pending file before it commits, so
 * that a start after a crash finishes what is missing instead of leaving a company nobody can enter.
 *
 * @returns whether something was created
 */
export const createFirstCompany = async (hub: ComposedHub, place: Place): Promise<boolean> => {
  if (await isEmpty(hub)) await createCompanyAndAdministrator(hub, place);
  const pending = await readPendingCredentials(place.dataDir);
  if (pending === undefined) return false;
  await createKeyAndEndpoints(hub, place.dataDir, pending);
  await confirmCredentials(place.dataDir);
  return true;
};

/** Gives the first company's key, which has all scopes, those of a later release or of newly declared upstreams. */
export const extendFirstKey = async (hub: ComposedHub, dataDir: string): Promise<void> => {
  const credentials = await readCredentials(dataDir);
  if (credentials === undefined) return;
  const { companyId, apiKey } = credentials;
  await hub.db.company(companyId, (tx) => addNewScopes(tx, hub, setup.actor, apiKey));
};
