import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import { createTestDatabase, createTestRedis, type TestDatabase } from '@impact-hub/testkit';
import { expect, test } from 'vitest';
import { runHubCommand, startHubProcess, type HubProcess } from './support/hub-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

type Endpoint = { partner: PartnerName; endpointId: string; scheme: SchemeName; secret?: string };
type Replay = { id: string; state: string; selected: number; done: number; succeeded: number; inFlight: number };

const events = 300;
const kills = 3;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const until = async (what: string, isTrue: () => Promise<boolean>): Promise<void> => {
  for (const giveUpAtMs = performance.now() + 60_000; performance.now() < giveUpAtMs; await pause(50))
    if (await isTrue()) return;
  throw new Error(`not within a minute: ${what}`);
};

const send = async (url: string, { partner, endpointId, scheme, secret = '' }: Endpoint, n: number): Promise<void> => {
  const { body, eventId } = makeEvent(partner, { seed: `replay ${n}`, nowMs: Date.now() });
  const { headers } = signRequest({ scheme, secret, body, eventId, nowMs: Date.now() });
  const init = {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: new Uint8Array(body),
  };
  const answer = await fetch(`${url}/webhooks/${partner}/${endpointId}`, init);
  expect(answer.status).toBe(200);
};

/** Every second event cannot be read when its turn comes, and can again afterwards. */
const processWithFaults = async ({ owner }: TestDatabase, startWorker: () => Promise<HubProcess>) => {
  await owner`create table kept as
    select id, sealed from (select *, row_number() over (order by id) as n from impact_in_receipt) r where n % 2 = 0`;
  await owner`update impact_in_receipt set sealed = null where id in (select id from kept)`;
  const worker = await startWorker();
  await until('everything was processed or given up', async () => {
    const [row] = await owner<{ ended: number }[]>`
      select count(*)::int as ended from impact_in_delivery where outcome in ('applied', 'superseded', 'dead')`;
    return row?.ended === events;
  });
  await owner`update impact_in_receipt r set sealed = kept.sealed from kept where kept.id = r.id`;
  return worker;
};

test('a worker killed again and again during a replay skips no delivery and replays none twice', async () => {
  const [database, redis, directory] = await Promise.all([
    createTestDatabase(),
    createTestRedis(),
    temporaryDirectory(),
  ]);
  const settings = {
    DATABASE_URL: database.ownerUrl,
    REDIS_URL: redis.url,
    HUB_DATA_DIR: directory.path,
    HUB_JOB_LEASE_SECONDS: '2',
    HUB_PORT: '0',
  };
  const running: HubProcess[] = [];
  const launch = async (target: string): Promise<HubProcess> => {
    const hub = await startHubProcess(settings, ['start', `--target=${target}`]);
    running.push(hub);
    return hub;
  };
  try {
    expect((await runHubCommand(['setup'], settings)).code).toBe(0);
    const credentials = JSON.parse(await readFile(join(directory.path, 'credentials.json'), 'utf8')) as {
      apiKey: string;
      endpoints: Endpoint[];
    };
    const endpoint = credentials.endpoints.find(({ secret }) => secret !== undefined);
    if (endpoint === undefined) throw new Error('the installation has no endpoint with a secret');
    const gateway = await launch('gateway');
    const call = async (path: string, body?: object): Promise<Replay> => {
      const init = { method: 'POST', body: JSON.stringify(body) };
      const headers = { 'x-api-key': credentials.apiKey, 'content-type': 'application/json' };
      const answer = await fetch(
        `${gateway.url}/api/v1/impact-in${path}`,
        body === undefined ? { headers } : { ...init, headers },
      );
      expect(answer.status).toBeLessThan(300);
      return (await answer.json()) as Replay;
    };
    for (let n = 0; n < events; n += 20)
      await Promise.all(Array.from({ length: 20 }, (_, index) => send(gateway.url, endpoint, n + index)));
    let worker = await processWithFaults(database, () => launch('worker'));

    const { id, selected } = await call('/deliveries/bulk-replay', { from: '2026-01-01T00:00:00Z', ratePerSecond: 60 });
    expect(selected).toBe(events);
    for (let kill = 1; kill <= kills; kill += 1) {
      const due = Math.floor((events * kill) / (kills + 1));
      await until(`${due} deliveries were begun`, async () => {
        const { done, inFlight } = await call(`/replays/${id}`);
        return done + inFlight >= due;
      });
      await worker.end('SIGKILL');
      expect((await call(`/replays/${id}`)).state).toBe('running');
      // What BullMQ held is gone as well; jobs are found again when their leases have run out.
      if (kill === 2) await redis.redis.flushdb();
      worker = await launch('worker');
    }
    await until('the replay has ended', async () => (await call(`/replays/${id}`)).state === 'done');

    expect(await call(`/replays/${id}`)).toMatchObject({
      selected: events,
      done: events,
      succeeded: events,
      inFlight: 0,
    });
    const wrong = await database.owner`
      select d.id, d.status, d.attempts, a.attempts as listed, e.replayed, e.processed
      from impact_in_delivery d
      join lateral (select count(*) as attempts, count(*) filter (where replay_id = ${id}) as of_replay
        from impact_in_attempt where delivery_id = d.id) a on true
      join lateral (select count(*) filter (where type = 'impact_in.delivery.replayed') as replayed,
        count(*) filter (where type = 'impact_in.event.processed') as processed
        from audit_event where resource_id = d.id::text) e on true
      where d.processed_at is null or d.attempts <> 2 or a.attempts <> 2 or a.of_replay <> 1 or e.replayed <> 1
        or e.processed <> 1`;
    expect([...wrong]).toEqual([]);
    expect([
      ...(await database.owner`select id from job where state <> 'dead' or id in (select id from kept)`),
    ]).toEqual([]);
  } finally {
    await Promise.all(running.map((hub) => hub.end('SIGKILL')));
    await Promise.all([database.drop(), redis.close(), directory.remove()]);
  }
}, 150_000);
