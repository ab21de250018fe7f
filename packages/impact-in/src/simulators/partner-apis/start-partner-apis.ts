import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { commitsFirst, showFault, type ApiFault } from './api-faults.ts';
import { grantStandInToken, isTokenPath } from './grant-stand-in-token.ts';
import { createPartnerState, type PartnerRecord } from './partner-state.ts';
import { standInApis, type Answered, type Arrived, type StandInApi, type StandInCredentials } from './stand-in-apis.ts';

export type PartnerApis = {
  /** Where all six APIs are, each under its own paths. */
  baseUrl: string;
  credentials: StandInCredentials;
  /** Does these wrong with the next deliveries, one after the other; null for one that goes well. */
  inject(...faults: (ApiFault | null)[]): void;
  /** Does nothing wrong any more. */
  forgetFaults(): void;
  /** Everything that had an effect, once for each effect. */
  records(): PartnerRecord[];
  /** The deliveries that arrived, with what was wrong with them, in order. */
  calls(): {
    api: string;
    path: string;
    atMs: number;
    fault: ApiFault | null;
    headers: Arrived['headers'];
    body: string;
  }[];
  tokensIssued(): number;
  revokeTokens(): void;
  close(): Promise<void>;
};

export type PartnerApisOptions = {
  port?: number;
  credentials?: Partial<StandInCredentials>;
  tokenLifetimeSeconds?: number;
  /** Calls allowed within a minute; beyond, 429. */
  requestsPerMinute?: number;
};

const defaultCredentials: StandInCredentials = {
  apiKey: 'stand-in-api-key',
  signingSecret: 'stand-in-signing-secret',
  clientId: 'stand-in-client',
  clientSecret: 'stand-in-client-secret',
  username: 'stand-in-user',
  password: 'stand-in <password> & more',
};

const read = async (request: IncomingMessage): Promise<Arrived> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { pathname } = new URL(request.url ?? '/', 'http://stand-in');
  return { path: pathname, headers: request.headers, body: Buffer.concat(chunks).toString('utf8') };
};

const write = (
  response: ServerResponse,
  { status, body, contentType = 'application/json' }: Answered,
  headers = {},
): void => {
  if (!response.destroyed)
    response
      .writeHead(status, { 'content-type': contentType, ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
};

/** The calls of a sliding minute, for one caller. */
const createRate = (requestsPerMinute: number) => {
  const times: number[] = [];
  return () => {
    const nowMs = Date.now();
    while ((times[0] ?? nowMs) <= nowMs - 60_000) times.shift();
    const isWithin = times.length < requestsPerMinute;
    if (isWithin) times.push(nowMs);
    const resetSeconds = Math.ceil(((times[0] ?? nowMs) + 60_000 - nowMs) / 1_000);
    const headers = {
      'x-ratelimit-remaining': String(requestsPerMinute - times.length),
      'x-ratelimit-reset': String(resetSeconds),
    };
    return { isWithin, headers };
  };
};

/**
 * Starts stand-ins of the partners' APIs on the loopback interface, so that the hub can be tried without a contract:
 * they check credentials, keep each event once for each idempotency key, and fail as told.
 *
 * @throws Error when the port cannot be had
 */
export const startPartnerApis = async (options: PartnerApisOptions = {}): Promise<PartnerApis> => {
  const credentials = { ...defaultCredentials, ...options.credentials };
  const state = createPartnerState(Date.now);
  const faults: (ApiFault | null)[] = [];
  const calls: ReturnType<PartnerApis['calls']> = [];
  const takeRate = options.requestsPerMinute === undefined ? undefined : createRate(options.requestsPerMinute);

  const readRecord = (api: StandInApi, arrived: Arrived): Answered => {
    const refusal = api.refuse(arrived, credentials, state);
    if (refusal !== null) return refusal;
    const record = state.find(decodeURIComponent(arrived.path.split('/').at(-1) ?? ''));
    if (record === undefined) return { status: 404, body: { error: 'not found' } };
    return { status: 200, body: { transactionId: record.transactionId, id: record.id, status: record.status } };
  };
  const deliver = (api: StandInApi, arrived: Arrived, request: IncomingMessage, response: ServerResponse): void => {
    const rate = takeRate?.();
    const fault = faults.shift() ?? null;
    calls.push({
      api: api.name,
      path: arrived.path,
      atMs: Date.now(),
      fault,
      headers: arrived.headers,
      body: arrived.body,
    });
    if (rate?.isWithin === false) return write(response, { status: 429, body: { error: 'rate limit' } }, rate.headers);
    if (fault === 'expiredToken401') state.revokeTokens();
    const refusal = api.refuse(arrived, credentials, state);
    if (refusal !== null) return write(response, refusal, rate?.headers);
    if (fault === null) return write(response, api.take(arrived, state), rate?.headers);
    if (commitsFirst.has(fault)) api.take(arrived, state);
    return showFault(fault, request, response);
  };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const arrived = await read(request);
    if (isTokenPath(arrived.path) && request.method === 'POST')
      return write(response, grantStandInToken(arrived, credentials, state, options.tokenLifetimeSeconds ?? 3_600));
    const api = standInApis.find(({ matches }) => matches(arrived.path));
    if (api === undefined) return write(response, { status: 404, body: { error: 'no such address' } });
    if (request.method === 'POST') return deliver(api, arrived, request, response);
    return write(response, readRecord(api, arrived));
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => write(response, { status: 400, body: { error: 'not readable' } }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    credentials,
    inject: (...wanted) => void faults.push(...wanted),
    forgetFaults: () => void faults.splice(0),
    records: state.records,
    calls: () => [...calls],
    tokensIssued: state.tokensIssued,
    revokeTokens: state.revokeTokens,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
