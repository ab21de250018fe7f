/**
 * What the gateway adds to a request, and how that compares. One run, cases in turn, closed loop with 32 connections,
 * then the full chain in an open loop. Server CPU is the process under test alone; stores and the upstream are apart.
 * (a) plain Fastify, (b) the hub's route with the key check, (c) and limits, (d) a change with an Idempotency-Key,
 * (e) a cached answer, (f) the full chain before a local upstream.
 * Beside (f): bare @fastify/http-proxy, express-gateway with key-auth, nginx and HAProxy with keys and limits; beside
 * (c): better-auth's API-key check on the same PostgreSQL. The peers come from npm when the benchmark runs.
 * Targets: (c) at most 1.35 × the CPU per request of (a); (f) at least 0.8 × bare http-proxy, 2 × express-gateway, 20 ×
 * better-auth's check, 12,000 requests/s with p95 at most 4 ms, closed and open loop. nginx and HAProxy are the floor, not a target.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectSql } from '@impact-hub/core';
import { createApiKeys } from './measure/create-api-keys.ts';
import { median, printTable } from './measure/describe-machine.ts';
import type { LoadShape } from './measure/generate-load.ts';
import { httpRequest } from './measure/http-request.ts';
import { prepareLoad } from './measure/load-process.ts';
import { measureLoad, requireOnly, type Measured } from './measure/measure-load.ts';
import { openDatabase } from './measure/open-database.ts';
import type { RequestSource } from './measure/request-source.ts';
import { startPeers, type Peer } from './measure/start-peers.ts';
import { startServer } from './measure/start-server.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const connections = 32;
const hubKeys = 1_000;
const upstreamPath = '/upstream/bench';
const openLoop = { ratePerSecond: 12_000, connections: 128 } as const;

type Server = Pick<Peer, 'pid' | 'port'>;
type Case = {
  name: string;
  server: Server;
  path: string;
  /** False for what lets everybody in. */
  checksKeys: boolean;
  source(round: number): RequestSource;
};

const reads = (path: string, keys: readonly string[]): (() => RequestSource) => {
  const requests = keys.map((key) => httpRequest('GET', path, { 'X-API-Key': key }));
  return () => ({ kind: 'repeated', requests });
};

const body = Buffer.from('{"amount":1}');
const changes =
  (keys: readonly string[], count: number, idempotent: boolean) =>
  (round: number): RequestSource => ({
    kind: 'once',
    requests: Array.from({ length: count }, (_, index) =>
      httpRequest(
        'POST',
        '/bench/change',
        {
          'X-API-Key': keys[index % keys.length] ?? '',
          'Content-Type': 'application/json',
          ...(idempotent ? { 'Idempotency-Key': `bench-${round}-${index}` } : {}),
        },
        body,
      ),
    ),
  });

/** A bad key first: a chain that lets everybody in would be fast. */
const refuseWrongKeys = async ({ name, server, path }: Case): Promise<void> => {
  const { status } = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { 'x-api-key': 'wrong' } });
  if (status !== 401) throw new Error(`${name} answered a wrong key with ${status}`);
};

const startHubs = async (stores: BenchStores, upstreamUrl: string) => {
  const file = join(stores.settings['HUB_DATA_DIR'] ?? '', 'upstreams.json');
  const upstream = { name: 'bench', prefix: upstreamPath, target: upstreamUrl, allowPrivateAddresses: true };
  await writeFile(file, JSON.stringify({ upstreams: [{ ...upstream, scopes: ['data:read'] }] }));
  const settings = { ...stores.settings, HUB_UPSTREAMS_FILE: file };
  const server = 'benchmarks/servers/gateway-server.ts';
  return {
    full: await startServer(server, [], settings),
    withoutLimits: await startServer(server, ['without-limits'], settings),
  };
};

type Measurements = Map<string, Measured[]>;

const measureCase = async (
  stores: BenchStores,
  { name, server, source }: Case,
  round: number,
  run: { durationMs: number; shape: LoadShape; connections?: number },
): Promise<Measured> => {
  const load = await prepareLoad({ host: '127.0.0.1', port: server.port, connections, ...run }, source(round));
  const pids = { server: server.pid, postgres: stores.postgresPid, redis: stores.redisPid };
  const result = await measureLoad(load, pids);
  requireOnly(result, ['200'], name);
  return result;
};

const measureAll = async (stores: BenchStores, cases: readonly Case[], quick: boolean): Promise<Measurements> => {
  for (const each of cases) if (each.checksKeys) await refuseWrongKeys(each);
  const measurements: Measurements = new Map(cases.map(({ name }) => [name, []]));
  const shape = { kind: 'closed' } as const;
  for (const each of cases) await measureCase(stores, each, -2, { durationMs: quick ? 500 : 2_000, shape });
  for (let round = 0; round < (quick ? 1 : 5); round += 1)
    for (const each of cases) {
      const measured = await measureCase(stores, each, round, { durationMs: quick ? 500 : 3_000, shape });
      measurements.get(each.name)?.push(measured);
    }
  return measurements;
};

const pick = (measured: readonly Measured[], of: (run: Measured) => number): number => median(measured.map(of));

const rowOf = (name: string, runs: readonly Measured[]) => ({
  case: name,
  'requests/s': Math.round(pick(runs, (run) => run.requestsPerSecond)),
  'p50 ms': pick(runs, (run) => run.latencyMs.p50).toFixed(2),
  'p95 ms': pick(runs, (run) => run.latencyMs.p95).toFixed(2),
  'p99 ms': pick(runs, (run) => run.latencyMs.p99).toFixed(2),
  'server CPU µs': pick(runs, (run) => run.serverCpuUs).toFixed(1),
  'PostgreSQL CPU µs': pick(runs, (run) => run.postgresCpuUs).toFixed(1),
  'Redis CPU µs': pick(runs, (run) => run.redisCpuUs).toFixed(1),
});

const names = {
  plain: '(a) plain Fastify',
  public: 'the hub, public route',
  keys: '(b) + key check',
  limits: '(c) + limits',
  change: 'a change, no header',
  idempotent: '(d) + Idempotency-Key',
  cached: '(e) cached answer',
  chain: '(f) full chain, proxied',
  httpProxy: '@fastify/http-proxy, bare',
  expressGateway: 'express-gateway, key-auth',
  betterAuth: "better-auth's check",
  nginx: 'nginx, map + limit_req',
  haproxy: 'HAProxy, map + stick table',
} as const;

type Peers = Awaited<ReturnType<typeof startPeers>>;
type Hubs = Awaited<ReturnType<typeof startHubs>>;

const casesOf = (plain: Server, hubs: Hubs, peers: Peers, keys: readonly string[], quick: boolean): Case[] => {
  const { full, withoutLimits } = hubs;
  const changesPerRound = quick ? 200 : 6_000;
  const read = (name: string, server: Server | undefined, path: string, sent = keys, checksKeys = true): Case[] =>
    server === undefined ? [] : [{ name, server, path, checksKeys, source: reads(path, sent) }];
  const change = (name: string, idempotent: boolean): Case => {
    const source = changes(keys, changesPerRound, idempotent);
    return { name, server: full, path: '/bench/change', checksKeys: false, source };
  };
  return [
    ...read(names.plain, plain, '/bench/protected', keys, false),
    ...read(names.public, full, '/bench/open', keys, false),
    ...read(names.keys, withoutLimits, '/bench/protected'),
    ...read(names.limits, full, '/bench/protected'),
    change(names.change, false),
    change(names.idempotent, true),
    ...read(names.cached, full, '/bench/cached'),
    ...read(names.chain, full, `${upstreamPath}/thing`),
    ...read(names.httpProxy, peers.httpProxy, '/thing', keys, false),
    ...read(names.expressGateway, peers.expressGateway, '/thing', peers.expressGateway.keys),
    ...read(names.betterAuth, peers.betterAuth, '/bench', peers.betterAuth.keys),
    ...read(names.nginx, peers.nginx, '/thing'),
    ...read(names.haproxy, peers.haproxy, '/thing'),
  ];
};

const printResults = (measurements: Measurements, open: Measured): void => {
  printTable([
    ...[...measurements].map(([name, runs]) => rowOf(name, runs)),
    rowOf(`(f), open loop at ${openLoop.ratePerSecond}/s`, [open]),
  ]);
  const of = (name: string, by: (run: Measured) => number): number => pick(measurements.get(name) ?? [], by);
  const rate = (name: string): number => of(name, (run) => run.requestsPerSecond);
  const cpu = (name: string): number => of(name, (run) => run.serverCpuUs);
  const chain = rate(names.chain);
  process.stdout.write('\n');
  printTargets([
    {
      what: 'CPU of (c) to (a)',
      measured: cpu(names.limits) / cpu(names.plain),
      target: 'below',
      limit: 1.35,
      unit: '×',
    },
    {
      what: '(f) to bare http-proxy',
      measured: chain / rate(names.httpProxy),
      target: 'at least',
      limit: 0.8,
      unit: '×',
    },
    {
      what: '(f) to express-gateway',
      measured: chain / rate(names.expressGateway),
      target: 'at least',
      limit: 2,
      unit: '×',
    },
    {
      what: "(f) to better-auth's check",
      measured: chain / rate(names.betterAuth),
      target: 'at least',
      limit: 20,
      unit: '×',
    },
    { what: '(f) requests/s', measured: chain, target: 'at least', limit: 12_000, unit: '/s' },
    { what: '(f) p95', measured: of(names.chain, (run) => run.latencyMs.p95), target: 'below', limit: 4, unit: ' ms' },
    { what: '(f) p95, open loop', measured: open.latencyMs.p95, target: 'below', limit: 4, unit: ' ms' },
  ]);
  for (const floor of [names.nginx, names.haproxy])
    if (measurements.has(floor))
      process.stdout.write(
        `floor   ${floor}: ${(rate(floor) / chain).toFixed(1)} × the requests/s and ${(cpu(floor) / cpu(names.chain)).toFixed(2)} × the CPU of (f); it has no scopes, lifecycle, audit or shared limits\n`,
      );
};

const createPeerDatabase = async (ownerUrl: string): Promise<string> => {
  const sql = connectSql(ownerUrl, { maxConnections: 1, applicationName: 'bench' });
  await sql.unsafe('create database peer');
  await sql.end();
  return Object.assign(new URL(ownerUrl), { pathname: '/peer' }).href;
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const stores = await startBenchStores();
    const { db } = await openDatabase(stores);
    const stops: (() => Promise<void>)[] = [() => db.close(), () => stores.stop()];
    try {
      const keys = await createApiKeys(db, stores.credentials.companyId, hubKeys, 'data:read');
      const plain = await startServer('benchmarks/servers/plain-server.ts', [], {});
      const upstream = await startServer('benchmarks/servers/upstream-server.ts', [], {});
      stops.unshift(plain.stop, upstream.stop);
      const upstreamUrl = `http://127.0.0.1:${upstream.port}`;
      const hubs = await startHubs(stores, upstreamUrl);
      stops.unshift(hubs.full.stop, hubs.withoutLimits.stop);
      const databaseUrl = await createPeerDatabase(stores.ownerUrl);
      process.stdout.write('installing and starting the peers …\n\n');
      const peers = await startPeers({ upstreamUrl, databaseUrl, redisUrl: stores.redisUrl, keys });
      stops.unshift(peers.stop);
      const cases = casesOf(plain, hubs, peers, keys, quick);
      const measurements = await measureAll(stores, cases, quick);
      const chain = cases.find(({ name }) => name === names.chain) as Case;
      const { ratePerSecond, connections: opened } = openLoop;
      const shape = { kind: 'open', ratePerSecond } as const;
      const run = { durationMs: quick ? 500 : 10_000, shape, connections: opened };
      printResults(measurements, await measureCase(stores, chain, 0, run));
    } finally {
      for (const stop of stops) await stop();
    }
  },
};
