import type { ConnectionView } from '@impact-hub/impact-in';
import { goodId } from '../hub-api/good-id.ts';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { printFields, printJson, when } from '../hub-api/print.ts';
import type { Sent } from '../hub-api/sent.ts';

export type Connection = Sent<ConnectionView>;

export const connectionsPath = '/api/v1/impact-in/connections';

/** @throws UsageError when it is no id */
export const pathOfConnection = (id: string, action = ''): string =>
  `${connectionsPath}/${goodId(id, 'connection')}${action}`;

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

/** The circuit breaker by its name and, where the hub tells it, its state. */
const describeCircuit = (circuit: unknown): string => {
  if (typeof circuit !== 'object' || circuit === null) return String(circuit);
  return Object.entries(circuit)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
};
