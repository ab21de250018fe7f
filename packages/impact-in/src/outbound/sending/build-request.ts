import { createHmac } from 'node:crypto';
import type { OpenConnection } from '../connections/open-connection.ts';
import type { OutboundEvent } from '../impact-event.ts';
import type { PartnerApi } from '../partner-api.ts';
import { pathOf } from '../partner-apis.ts';
import type { HttpCall } from './http-client.ts';
import { writeEnvelope, type UsernameToken } from './soap.ts';

type PartnerRecord = Record<string, string | number>;

/** The event in the partner's words. */
export const recordOf = ({ fields }: Pick<PartnerApi, 'fields'>, event: OutboundEvent): PartnerRecord =>
  Object.fromEntries(
    Object.entries(fields).flatMap(([ours, theirs]) => {
      const value = event[ours as keyof OutboundEvent];
      return value === undefined ? [] : [[theirs, value]];
    }),
  );

/** Whether these events go to the API's address for several. */
const isBatch = (api: PartnerApi, events: readonly OutboundEvent[]): boolean =>
  api.batch !== undefined && events.length > 1;

/** Workday names its users `user@tenant`. */
const tokenOf = ({ credentials, tenant }: Pick<OpenConnection, 'credentials' | 'tenant'>): UsernameToken => {
  const { username = '', password = '' } = credentials;
  return { username: username.includes('@') || tenant === null ? username : `${username}@${tenant}`, password };
};

/** The body for the events; one event unless the API takes batches. */
export const bodyOf = (
  connection: Pick<OpenConnection, 'api' | 'credentials' | 'tenant'>,
  events: readonly OutboundEvent[],
): string => {
  const { api } = connection;
  const records = events.map((event) => recordOf(api, event));
  if (api.soap !== undefined) {
    const { request: element, namespace } = api.soap;
    return writeEnvelope(tokenOf(connection), { element, namespace, fields: records[0] ?? {} });
  }
  return JSON.stringify(isBatch(api, events) ? { [api.batch?.recordsField ?? '']: records } : records[0]);
};

/** Headers that prove who calls. @param accessToken of APIs with OAuth */
const authHeaders = (
  { api, credentials }: OpenConnection,
  body: string,
  accessToken: string | null,
): Record<string, string> => {
  const { auth } = api;
  if (auth.kind === 'oauth') return { authorization: `Bearer ${accessToken ?? ''}` };
  if (auth.kind === 'wsse') return {};
  const headers = { [auth.header]: credentials.apiKey ?? '' };
  if (auth.signatureHeader !== undefined)
    headers[auth.signatureHeader] = createHmac('sha256', credentials.signingSecret ?? '')
      .update(body)
      .digest('hex');
  return headers;
};

export const addressOf = ({ baseUrl, tenant }: OpenConnection, template: string, transactionId = ''): string =>
  `${baseUrl}${pathOf(template, { tenant: tenant ?? '', transactionId })}`;

/** The call that delivers the events. Repeated for the same deliveries, it is the same to the last byte but for tokens. */
export const buildRequest = (
  connection: OpenConnection,
  events: readonly OutboundEvent[],
  accessToken: string | null,
): HttpCall => {
  const { api } = connection;
  const body = bodyOf(connection, events);
  const [first] = events;
  const alone = events.length === 1 && api.idempotencyHeader !== null && first !== undefined;
  return {
    method: 'POST',
    url: addressOf(connection, isBatch(api, events) ? (api.batch?.path ?? api.path) : api.path),
    headers: {
      accept: api.soap === undefined ? 'application/json' : 'text/xml',
      'content-type': api.soap === undefined ? 'application/json' : 'text/xml; charset=utf-8',
      'user-agent': 'impact-hub',
      ...api.headers,
      ...(api.soap === undefined ? {} : { SOAPAction: `"${api.soap.action}"` }),
      ...(alone ? { [api.idempotencyHeader ?? '']: first.deliveryId } : {}),
      ...authHeaders(connection, body, accessToken),
    },
    body,
  };
};

/** A call that changes nothing: reads a record, or only shows whether the partner lets the caller in. */
export const buildReading = (
  connection: OpenConnection,
  path: string,
  accessToken: string | null,
  transactionId?: string,
): HttpCall => ({
  method: 'GET',
  url: addressOf(connection, path, transactionId),
  headers: {
    accept: connection.api.soap === undefined ? 'application/json' : 'text/xml',
    'user-agent': 'impact-hub',
    ...connection.api.headers,
    ...authHeaders(connection, '', accessToken),
  },
});
