import { recordAudit } from '@impact-hub/audit';
import { newId, type Clock, type Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { EndpointMaker } from '../../endpoints/create-endpoint.ts';
import { tooManyConnections } from '../../problems.ts';
import { partnerApis } from '../partner-apis.ts';
import type { ConnectionRow } from '../tables.ts';
import { checkedBaseUrl, checkedCredentials, checkTenant } from './check-input.ts';
import { closedCircuit, type ConnectionCircuit } from './circuit.ts';
import { credentialsContext, credentialsPurpose, type Credentials } from './credentials.ts';
import { countConnections, insertConnection } from './repository.ts';
import { createConnectionBody, type ConnectionView, type CreateConnectionInput } from './schema.ts';

/** Each has a circuit of its own in every process. */
const maxPerCompany = 50;

type Deps = { crypto: Crypto; clock: Clock; outbound: { allowPrivateAddresses: boolean } };

/** A connection as the API shows it: no credentials in any form. */
export const viewConnection = (row: ConnectionRow, circuit: ConnectionCircuit = closedCircuit(row)): ConnectionView => {
  const { id, partner, api, name, baseUrl, tenant, requestsPerMinute, state, createdAt, updatedAt } = row;
  const shown = { id, partner, api, name, baseUrl, tenant, requestsPerMinute, createdAt, updatedAt };
  return { ...shown, state: state === 'active' ? 'active' : 'paused', circuit };
};

export const sealCredentials = (
  crypto: Crypto,
  { companyId, id }: Pick<ConnectionRow, 'companyId' | 'id'>,
  credentials: Credentials,
): Promise<string> =>
  crypto.encrypt({
    companyId,
    purpose: credentialsPurpose,
    context: credentialsContext(id),
    plaintext: Buffer.from(JSON.stringify(credentials)),
  });

/**
 * Creates a connection of the transaction's company to a partner's API. The credentials are kept encrypted.
 *
 * @throws ProblemError `request.invalid`, `impact_in.too_many_connections`
 */
export const createConnection = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  input: CreateConnectionInput,
): Promise<ConnectionView> => {
  const { companyId } = tx;
  if (companyId === null) throw new Error('createConnection needs the transaction of a company');
  const given = createConnectionBody.parse(input);
  const api = partnerApis[given.api];
  const baseUrl = checkedBaseUrl(given.baseUrl, deps.outbound.allowPrivateAddresses);
  const credentials = checkedCredentials(api, given.credentials);
  const { tenant = null, requestsPerMinute = api.rate.requestsPerMinute, name } = given;
  checkTenant(api, tenant);
  if ((await countConnections(tx)) >= maxPerCompany)
    throw tooManyConnections({ detail: `A company can have ${maxPerCompany} connections, paused ones included.` });
  const id = newId();
  const now = deps.clock.now();
  const row: ConnectionRow = {
    id,
    companyId,
    partner: api.partner,
    api: given.api,
    name,
    baseUrl,
    tenant,
    credentials: await sealCredentials(deps.crypto, { companyId, id }, credentials),
    revision: 1,
    requestsPerMinute,
    state: 'active',
    nextCallAt: now,
    createdAt: now,
    updatedAt: now,
  };
  await insertConnection(tx, row);
  await recordAudit(tx, {
    type: 'impact_in.connection.created',
    category: 'admin',
    actor: maker.actor,
    resource: { type: 'impact_in_connection', id },
    request: maker.request,
    metadata: { partner: api.partner, api: given.api, name, baseUrl, tenant, requestsPerMinute },
  });
  return viewConnection(row);
};
