import type { ConnectionView } from '@impact-hub/impact-in';
import { goodId } from '../hub-api/good-id.ts';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { printFields, printJson, when, whenExactly } from '../hub-api/print.ts';
import type { Sent } from '../hub-api/sent.ts';

export type Connection = Sent<ConnectionView>;

export const connectionsPath = '/api/v1/impact-in/connections';

/** @throws UsageError when it is no id */
export const pathOfConnection = (id: string, action = ''): string =>
  `${connectionsPath}/${goodId(id, 'connection')}${action}`;

const describeCircuit = ({ state, retryAt }: Connection['circuit']): string =>
  retryAt === null ? state : `${state}, tried again ${whenExactly(retryAt)}`;

/** A connection for a person or, with `--json`, as the hub says it. */
export const printConnection = (connection: Connection, { json }: CommonOptions): void => {
  if (json === true) return printJson(connection);
  const { id, name, partner, api, baseUrl, tenant, requestsPerMinute, state, circuit, createdAt } = connection;
  printFields({
    connection: id,
    name,
    partner,
    api,
    address: baseUrl,
    tenant,
    'at most': `${requestsPerMinute} calls a minute`,
    state,
    circuit: describeCircuit(circuit),
    created: when(createdAt),
  });
};
