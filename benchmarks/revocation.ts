/**
 * How soon an ended key is refused everywhere: three gateway processes on one PostgreSQL and Redis, called without
 * pause with the keys that are being revoked; the ms from the acknowledgement of the DELETE to the sending of the last
 * request that was still accepted, by process. 0: none was.
 * Then with NOTIFY and Redis publish/subscribe cut off entirely, so that only the poll is left; then with keys that
 * every process reads for the first time while they are revoked; then disabling instead of revoking.
 * Targets: p99 at most 50 ms; never 2 s, messages or not; no key accepted again afterwards.
 */
import { once } from 'node:events';
import { connectSql, createLogger } from '@impact-hub/core';
import { connectRedis } from '../apps/hub/src/stores/connect-redis.ts';
import { startHubProcess, type HubProcess } from '../tests/support/hub-process.ts';
import {
  countAccepted,
  raceColdKey,
  raceWarmKey,
  type EndKey,
  type RaceKey,
  type RaceResult,
} from '../tests/support/revocation-race.ts';
import { createApiKeys } from './measure/create-api-keys.ts';
import { printTable } from './measure/describe-machine.ts';
import { percentile } from './measure/generate-load.ts';
import { openDatabase } from './measure/open-database.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const processes = 3;

type Case = {
  name: string;
  keys: number;
  /** Raced at the same time: three connections without pause each. */
  atOnce: number;
  race(ports: readonly number[], key: RaceKey, endings: Endings, index: number): Promise<RaceResult>;
};
type Endings = { revoke: EndKey; disable: EndKey };

const revocation: Case = {
  name: 'revoked, cached',
  keys: 1_000,
  atOnce: 10,
  race: (ports, key, { revoke }) => raceWarmKey(ports, key, revoke),
};
const disabling: Case = {
  name: 'disabled, cached',
  keys: 300,
  atOnce: 10,
  race: (ports, key, { disable }) => raceWarmKey(ports, key, disable),
};
const coldFill: Case = {
  name: 'revoked while read for the first time',
  keys: 1_000,
  atOnce: 5,
  race: (ports, key, { revoke }, index) => raceColdKey(ports, key, revoke, index % 5),
};
/** Each takes up to a second: many at once, called every 10 ms. */
const cutOff: Case = {
  name: 'revoked, cached; NOTIFY and Redis cut off',
  keys: 1_000,
  atOnce: 50,
  race: (ports, key, { revoke }) => raceWarmKey(ports, key, revoke, 10),
};

const startGateways = async (settings: Record<string, string>): Promise<HubProcess[]> => {
  const start = () =>
    startHubProcess({ ...settings, HUB_PORT: '0', HUB_TRUST_PROXY: '127.0.0.1' }, ['start', '--target=gateway']);
  return Promise.all(Array.from({ length: processes }, start));
};

const endingsBy = (gateways: readonly HubProcess[], adminKey: string): Endings => {
  let calls = 0;
  const call = async (keyId: string, init: RequestInit): Promise<void> => {
    calls += 1;
    const gateway = gateways[calls % gateways.length];
    const headers = {
      'x-api-key': adminKey,
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const response = await fetch(`${gateway?.url}/admin/api-keys/${keyId}`, { ...init, headers });
    if (!response.ok) throw new Error(`${init.method} was answered with ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  };
  return {
    revoke: (keyId) => call(keyId, { method: 'DELETE' }),
    disable: (keyId) => call(keyId, { method: 'PATCH', body: '{"enabled":false}' }),
  };
};

type Measured = { name: string; results: RaceResult[]; acceptedAfterwards: number };

const measureCase = async (
  stores: BenchStores,
  gateways: readonly HubProcess[],
  { name, keys: count, atOnce, race }: Case,
  quick: boolean,
): Promise<Measured> => {
  const { db } = await openDatabase(stores);
  const keys = (await createApiKeys(db, stores.credentials.companyId, quick ? 50 : count, 'data:read')).map((key) => ({
    key,
    keyId: key.slice('teei_live_'.length).slice(0, 12),
  }));
  await db.close();
  const ports = gateways.map(({ url }) => Number(new URL(url).port));
  const endings = endingsBy(gateways, stores.credentials.apiKey);
  const results: RaceResult[] = [];
  for (let at = 0; at < keys.length; at += atOnce)
    results.push(
      ...(await Promise.all(keys.slice(at, at + atOnce).map((key, index) => race(ports, key, endings, index)))),
    );
  return { name, results, acceptedAfterwards: await countAccepted(ports, keys) };
};

/**
 * Takes NOTIFY and publish/subscribe away from processes that start after it: a function of the same name that does
 * nothing stands in front of PostgreSQL's, and Redis allows no channel.
 */
const cutMessagesOff = async (stores: BenchStores): Promise<void> => {
  const owner = connectSql(stores.ownerUrl, { maxConnections: 1, applicationName: 'bench' });
  await owner.unsafe('create schema silenced; grant usage on schema silenced to public');
  await owner.unsafe(`create function silenced.pg_notify(text, text) returns void language sql as 'select'`);
  await owner.unsafe('alter database hub set search_path = silenced, pg_catalog, public');
  await owner.unsafe('alter role current_user in database hub set search_path = public');
  await owner.end();
  const redis = connectRedis(stores.redisUrl, createLogger({ level: 'silent' }));
  await once(redis, 'ready');
  await redis.call('ACL', 'SETUSER', 'default', 'resetchannels');
  await redis.quit();
};

const rowsOf = ({ name, results, acceptedAfterwards }: Measured) =>
  Array.from({ length: processes }, (_, index) => {
    const sorted = results.map(({ latenessMs }) => latenessMs[index] ?? Number.NaN).toSorted((a, b) => a - b);
    return {
      case: name,
      process: index + 1,
      keys: results.length,
      'p50 ms': percentile(sorted, 0.5).toFixed(2),
      'p99 ms': percentile(sorted, 0.99).toFixed(2),
      'max ms': percentile(sorted, 1).toFixed(2),
      'accepted before': results.reduce((sum, { accepted }) => sum + (accepted[index] ?? 0), 0),
      'accepted afterwards': acceptedAfterwards,
    };
  });

const latenesses = ({ results }: Measured): number[] =>
  results.flatMap(({ latenessMs }) => latenessMs).toSorted((a, b) => a - b);

const measureWith = async (stores: BenchStores, cases: readonly Case[], quick: boolean): Promise<Measured[]> => {
  const gateways = await startGateways(stores.settings);
  try {
    const measured: Measured[] = [];
    for (const each of cases) measured.push(await measureCase(stores, gateways, each, quick));
    return measured;
  } finally {
    await Promise.all(gateways.map((gateway) => gateway.end('SIGTERM')));
  }
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const stores = await startBenchStores();
    try {
      const connected = await measureWith(stores, [revocation, disabling, coldFill], quick);
      await cutMessagesOff(stores);
      const cut = await measureWith(stores, [cutOff], quick);
      const all = [...connected, ...cut];
      printTable(all.flatMap(rowsOf));
      process.stdout.write('\n');
      const atMost = (what: string, measured: number, limit: number, unit: string) =>
        ({ what, measured, target: 'below', limit, unit }) as const;
      printTargets([
        ...connected.map((each) => atMost(`p99, ${each.name}`, percentile(latenesses(each), 0.99), 50, ' ms')),
        ...all.map((each) => atMost(`longest, ${each.name}`, latenesses(each).at(-1) ?? Number.NaN, 2_000, ' ms')),
        ...all.map((each) => atMost(`accepted afterwards, ${each.name}`, each.acceptedAfterwards, 1, '')),
      ]);
    } finally {
      await stores.stop();
    }
  },
};
