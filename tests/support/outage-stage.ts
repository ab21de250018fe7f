import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connectSql, type Sql } from '@impact-hub/core';
import { startEmbeddedPostgres } from '@impact-hub/embedded-stores';
import {
  makeEvent,
  signRequest,
  startPartnerApis,
  type PartnerApis,
  type PartnerName,
  type SchemeName,
} from '@impact-hub/impact-in';
import { startOwnRedis } from '@impact-hub/testkit';
import { runHubCommand, startHubProcess, type HubProcess } from './hub-process.ts';
import { signalTree } from './process-tree.ts';
import { temporaryDirectory } from './temporary-directory.ts';

type Endpoint = { partner: PartnerName; endpointId: string; scheme: SchemeName; secret?: string };
export type Answer = { status: number; retryAfter: number; ms: number; receiptId: string | undefined };
export type Store = { kill(): Promise<void>; restart(): Promise<void>; freeze(): Promise<void>; thaw(): Promise<void> };

/** A PostgreSQL of the test's own that can be ended, frozen with all its processes, and started again where it was. */
const startOwnPostgres = async (dataDir: string): Promise<Store & { adminUrl: string; stop(): Promise<void> }> => {
  let server = await startEmbeddedPostgres({ dataDir });
  return {
    adminUrl: server.adminUrl,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    restart: async () => {
      server = await startEmbeddedPostgres({ dataDir, port: server.port });
    },
    freeze: () => signalTree(server.pid, 'SIGSTOP'),
    thaw: () => signalTree(server.pid, 'SIGCONT'),
    stop: () => server.stop('immediate'),
  };
};

/** Something that accepts connections and never answers, as a warehouse does that hangs. */
const startMute = async () => {
  const server = createServer(() => undefined);
  const listen = (port: number): Promise<void> =>
    new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, end, hang: () => listen(port) };
};

/** What became of events, by the names that are wrong; nothing when each was stored and processed exactly once. */
const recountEvents = async (sql: Sql, eventIds: readonly string[]): Promise<unknown[]> => {
  const rows = await sql`
    select e.id, r.receipts, r.deliveries, r.attempts, r.audits
    from unnest(${eventIds as string[]}::text[]) as e (id)
    join lateral (
      select count(*)::int as receipts, count(d.id)::int as deliveries,
        coalesce(sum((select count(*) from impact_in_attempt a where a.delivery_id = d.id and a.result = 'success')), 0)::int as attempts,
        coalesce(sum((select count(*) from audit_event a where a.resource_id = r.id::text
          and a.type = 'impact_in.event.processed')), 0)::int as audits
      from impact_in_receipt r left join impact_in_delivery d on d.id = r.id and d.processed_at is not null
      where r.event_id = e.id and r.outcome = 'accepted') r on true
    where (r.receipts, r.deliveries, r.attempts, r.audits) is distinct from (1, 1, 1, 1)`;
  return [...rows];
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export type Stage = Awaited<ReturnType<typeof createStage>>;

/** A gateway and a worker as processes of their own, on stores that the test can end and freeze. */
export const createStage = async () => {
  const directory = await temporaryDirectory();
  const [postgres, redis, standIns, warehouse] = await Promise.all([
    startOwnPostgres(join(directory.path, 'postgres')),
    startOwnRedis(),
    startPartnerApis(),
    startMute(),
  ]);
  const admin = connectSql(postgres.adminUrl, { maxConnections: 1, applicationName: 'stage' });
  await admin`create database outages`;
  await admin.end();
  const ownerUrl = postgres.adminUrl.replace(/\/postgres$/, '/outages');
  const settings = {
    DATABASE_URL: ownerUrl,
    REDIS_URL: redis.url,
    CLICKHOUSE_URL: warehouse.url,
    HUB_DATA_DIR: directory.path,
    HUB_JOB_LEASE_SECONDS: '2',
    HUB_PORT: '0',
    HUB_PARTNER_PRIVATE_ADDRESSES: 'allow',
  };
  const setup = await runHubCommand(['setup'], settings);
  if (setup.code !== 0) throw new Error(setup.stderr);
  const launch = (target: string): Promise<HubProcess> => startHubProcess(settings, ['start', `--target=${target}`]);
  const [gateway, first] = await Promise.all([launch('gateway'), launch('worker')]);
  let worker = first;
  const { apiKey, endpoints } = JSON.parse(await readFile(join(directory.path, 'credentials.json'), 'utf8')) as {
    apiKey: string;
    endpoints: Endpoint[];
  };
  const endpoint = endpoints.find(({ partner, secret }) => partner === 'benevity' && secret !== undefined);
  if (endpoint === undefined) throw new Error('the installation has no endpoint with a secret');
  const sql = connectSql(ownerUrl, { maxConnections: 3, applicationName: 'stage' });

  const eventOf = (seed: string, correlationId?: string) =>
    makeEvent(endpoint.partner, { seed, nowMs: Date.now(), ...(correlationId === undefined ? {} : { correlationId }) });
  const send = async ({ body, eventId }: ReturnType<typeof eventOf>): Promise<Answer> => {
    const { partner, endpointId, scheme, secret = '' } = endpoint;
    const { headers } = signRequest({ scheme, secret, body, eventId, nowMs: Date.now() });
    const startedAtMs = performance.now();
    const init = { method: 'POST', headers, body: new Uint8Array(body), signal: AbortSignal.timeout(30_000) };
    const response = await fetch(`${gateway.url}/webhooks/${partner}/${endpointId}`, init);
    const { receiptId } = (await response.json()) as { receiptId?: string };
    const retryAfter = Number(response.headers.get('retry-after') ?? 0);
    return { status: response.status, retryAfter, ms: performance.now() - startedAtMs, receiptId };
  };
  const call = async <T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> => {
    const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await fetch(`${gateway.url}/api/v1/impact-in${path}`, init);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };

  return {
    postgres,
    redis,
    standIns,
    warehouse,
    sql,
    call,
    eventOf,
    send,
    /** Makes so many events and sends them at once. */
    sendMany: async (count: number, seed: string, correlationId?: string) => {
      const events = Array.from({ length: count }, (_, n) => eventOf(`${seed} ${n}`, correlationId));
      return { events, answers: await Promise.all(events.map(send)) };
    },
    killWorker: () => worker.end('SIGKILL'),
    startWorker: async () => {
      worker = await launch('worker');
    },
    /** Waits until no job is left, then recounts. */
    recount: async (events: readonly { eventId: string }[], patienceMs = 30_000): Promise<unknown[]> => {
      for (const giveUpAtMs = performance.now() + patienceMs; performance.now() < giveUpAtMs; await pause(100)) {
        const [row] = await sql<{ jobs: number }[]>`select count(*)::int as jobs from job`;
        if (row?.jobs === 0) break;
      }
      return recountEvents(
        sql,
        events.map(({ eventId }) => eventId),
      );
    },
    close: async () => {
      await Promise.all([gateway.end('SIGKILL'), worker.end('SIGKILL')]);
      await sql.end({ timeout: 1 });
      await Promise.all([postgres.stop(), redis.close(), standIns.close(), warehouse.end()]);
      await directory.remove();
    },
  };
};

/** A connection of the first company to a stand-in of Benevity's API. */
export const connectPartner = (stage: Stage): Promise<{ id: string }> => {
  const { baseUrl, credentials }: PartnerApis = stage.standIns;
  const { apiKey, signingSecret } = credentials;
  const body = { api: 'benevity', name: 'Stand-in', baseUrl, credentials: { apiKey, signingSecret } };
  return stage.call('POST', '/connections', body);
};
