import { recordAudit } from '@impact-hub/audit';
import type { Clock, Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { EndpointMaker } from '../../endpoints/create-endpoint.ts';
import { connectionNotFound } from '../../problems.ts';
import { partnerApis } from '../partner-apis.ts';
import { outboundChannel } from '../sending/start-sender.ts';
import type { ConnectionRow } from '../tables.ts';
import { checkedBaseUrl, checkedCredentials, checkTenant, wrongField } from './check-input.ts';
import { sealCredentials, viewConnection } from './create-connection.ts';
import { findConnection, updateConnection } from './repository.ts';
import type { ConnectionChange, ConnectionView } from './schema.ts';

type Deps = { crypto: Crypto; clock: Clock; outbound: { allowPrivateAddresses: boolean } };

/** Credentials are for the host they were given for: whoever may change the address must not get them sent elsewhere. */
const refuseOtherHost = (row: ConnectionRow, baseUrl: string, change: ConnectionChange): void => {
  if (new URL(baseUrl).origin !== new URL(row.baseUrl).origin && change.credentials === undefined)
    throw wrongField('credentials', 'Another host needs the credentials again.');
};

/** What differs, by name; of credentials only that they do. */
const differences = (row: ConnectionRow, next: Partial<ConnectionRow>): Record<string, unknown> =>
  Object.fromEntries(
    (['name', 'baseUrl', 'tenant', 'requestsPerMinute', 'state'] as const)
      .filter((field) => next[field] !== undefined && next[field] !== row[field])
      .map((field) => [field, next[field]]),
  );

/**
 * Changes a connection. What was sent before keeps its attempts; what is due goes by the new values.
 *
 * @throws ProblemError `impact_in.connection_not_found`, `request.invalid`
 */
export const changeConnection = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  id: string,
  change: ConnectionChange,
): Promise<ConnectionView> => {
  const row = await findConnection(tx, id, true);
  if (row === undefined) throw connectionNotFound();
  const api = partnerApis[row.api];
  const baseUrl =
    change.baseUrl === undefined ? row.baseUrl : checkedBaseUrl(change.baseUrl, deps.outbound.allowPrivateAddresses);
  refuseOtherHost(row, baseUrl, change);
  const { name = row.name, tenant = row.tenant, requestsPerMinute = row.requestsPerMinute, state = row.state } = change;
  checkTenant(api, tenant);
  const plain = { name, baseUrl, tenant, requestsPerMinute, state };
  const changes = differences(row, plain);
  const credentials =
    change.credentials === undefined
      ? row.credentials
      : await sealCredentials(deps.crypto, row, checkedCredentials(api, change.credentials));
  if (Object.keys(changes).length === 0 && change.credentials === undefined) return viewConnection(row);
  const next = { ...row, ...plain, credentials, revision: row.revision + 1, updatedAt: deps.clock.now() };
  await updateConnection(tx, id, next);
  await recordAudit(tx, {
    type: 'impact_in.connection.changed',
    category: 'admin',
    actor: maker.actor,
    resource: { type: 'impact_in_connection', id },
    request: maker.request,
    changes: { ...changes, ...(change.credentials === undefined ? {} : { credentialsReplaced: true }) },
  });
  await tx.sql`select pg_notify(${outboundChannel}, '')`;
  return viewConnection(next);
};
