/**
 * What checking an API key costs: a protected route (scope `data:read`) of the hub composed as in production, called
 * with 10,000 keys in turn, all cached.
 * Baseline, in the same run, rounds interleaved: the same handler on a public route, same request bytes.
 * Then the check alone, inside the process: from the cache, and cold (PostgreSQL on the same machine).
 * Targets: at least 0.8 × the public route; p95 at most 0.05 ms from the cache and 5 ms cold.
 */
import { createApiKeyVerifier } from '@impact-hub/api-keys';
import { createMetrics, startChangeFeed, systemClock, type Database } from '@impact-hub/core';
import { createApiKeys } from './measure/create-api-keys.ts';
import { median, printTable } from './measure/describe-machine.ts';
import { percentile } from './measure/generate-load.ts';
import { httpRequest } from './measure/http-request.ts';
import { prepareLoad } from './measure/load-process.ts';
import { measureLoad, requireOnly, type Measured } from './measure/measure-load.ts';
import { openDatabase } from './measure/open-database.ts';
import { startServer } from './measure/start-server.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const connections = 32;
const cachedKeys = 10_000;
const coldKeys = 2_000;
const paths = { 'protected route': '/bench/protected', 'public route': '/bench/open' } as const;
type Case = keyof typeof paths;

/** Before anything is measured: the route is protected indeed. */
const refuseWrongKeys = async (port: number, good: string, withoutScope: string): Promise<void> => {
  const answers: Record<string, [key: string | undefined, status: number]> = {
    'no key': [undefined, 401],
    'a key with a wrong checksum': [`${good.slice(0, -1)}${good.endsWith('a') ? 'b' : 'a'}`, 401],
    'a key without the scope': [withoutScope, 403],
    'a good key': [good, 200],
  };
  for (const [what, [key, expected]] of Object.entries(answers)) {
    const headers = key === undefined ? {} : { 'x-api-key': key };
    const { status } = await fetch(`http://127.0.0.1:${port}${paths['protected route']}`, { headers });
    if (status !== expected) throw new Error(`${what} was answered with ${status}, expected ${expected}`);
  }
};

const measureRoutes = async (
  stores: BenchStores,
  keys: readonly string[],
  withoutScope: string,
  quick: boolean,
): Promise<void> => {
  // All keys are of one company here: its limit shall not be what is measured.
  const settings = { ...stores.settings, HUB_COMPANY_RATE_LIMIT_PER_MINUTE: '100000000' };
  const server = await startServer('benchmarks/servers/protected-route-server.ts', [], settings);
  const runs: Record<Case, Measured[]> = { 'protected route': [], 'public route': [] };
  try {
    await refuseWrongKeys(server.port, keys[0] ?? '', withoutScope);
    const measure = async (name: Case, durationMs: number): Promise<Measured> => {
      const load = await prepareLoad(
        { host: '127.0.0.1', port: server.port, connections, durationMs, shape: { kind: 'closed' } },
        { kind: 'repeated', requests: keys.map((key) => httpRequest('GET', paths[name], { 'X-API-Key': key })) },
      );
      const result = await measureLoad(load, { server: server.pid, postgres: stores.postgresPid });
      requireOnly(result, ['200'], name);
      return result;
    };
    // Fills the cache: every key once, and then some.
    for (let calls = 0; calls < keys.length * 1.5;) calls += (await measure('protected route', 2_000)).requests;
    await measure('public route', 1_000);
    for (let round = 0; round < (quick ? 1 : 7); round += 1)
      for (const name of Object.keys(runs) as Case[]) runs[name].push(await measure(name, quick ? 1_000 : 3_000));
  } finally {
    await server.stop();
  }
  const of = (name: Case, pick: (run: Measured) => number): number => median(runs[name].map(pick));
  printTable(
    (Object.keys(runs) as Case[]).map((name) => ({
      case: name,
      'requests/s': Math.round(of(name, (run) => run.requestsPerSecond)),
      'p50 ms': of(name, (run) => run.latencyMs.p50).toFixed(2),
      'p95 ms': of(name, (run) => run.latencyMs.p95).toFixed(2),
      'p99 ms': of(name, (run) => run.latencyMs.p99).toFixed(2),
      'server CPU µs': of(name, (run) => run.serverCpuUs).toFixed(1),
      'PostgreSQL CPU µs': of(name, (run) => run.postgresCpuUs).toFixed(1),
    })),
  );
  process.stdout.write('\n');
  const rate = (name: Case): number => of(name, (run) => run.requestsPerSecond);
  const measured = rate('protected route') / rate('public route');
  printTargets([{ what: 'throughput against the public route', measured, target: 'at least', limit: 0.8, unit: '×' }]);
};

const measureVerifier = async (db: Database, keys: readonly string[], quick: boolean): Promise<void> => {
  const changes = await startChangeFeed(db);
  const metrics = createMetrics();
  const verifier = createApiKeyVerifier({ db, changes, clock: systemClock, metrics });
  const spent = { cold: [] as number[], cached: [] as number[] };
  const check = async (key: string, into: number[]): Promise<void> => {
    const startedAtMs = performance.now();
    const result = verifier.verify(key, '127.0.0.1');
    const { valid } = result instanceof Promise ? await result : result;
    into.push(performance.now() - startedAtMs);
    if (!valid) throw new Error('a good key was refused');
  };
  for (const [index, key] of keys.entries()) await check(key, index < coldKeys ? spent.cold : []);
  for (let round = 0; round < (quick ? 5 : 50); round += 1) for (const key of keys) await check(key, spent.cached);
  const reads = (await metrics.getSingleMetric('api_keys_reads_total')?.get())?.values[0]?.value;
  if (reads !== keys.length) throw new Error(`${keys.length} keys were read ${reads} times from the database`);
  await verifier.stop();
  await changes.stop();

  const rows = Object.entries(spent).map(([name, times]) => {
    const sorted = Float64Array.from(times).sort();
    return {
      check: name,
      keys: times.length,
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
    };
  });
  process.stdout.write('\n');
  printTable(
    rows.map(({ check, keys, p50, p95, p99 }) => ({
      check,
      checks: keys,
      'p50 µs': (p50 * 1e3).toFixed(1),
      'p95 µs': (p95 * 1e3).toFixed(1),
      'p99 µs': (p99 * 1e3).toFixed(1),
    })),
  );
  process.stdout.write('\n');
  printTargets([
    { what: 'p95 from the cache', measured: rows[1]?.p95 ?? Infinity, target: 'below', limit: 0.05, unit: ' ms' },
    { what: 'p95 cold', measured: rows[0]?.p95 ?? Infinity, target: 'below', limit: 5, unit: ' ms' },
  ]);
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const stores = await startBenchStores();
    const { db } = await openDatabase(stores);
    try {
      const { companyId } = stores.credentials;
      const keys = await createApiKeys(db, companyId, quick ? 1_000 : cachedKeys, 'data:read');
      const [withoutScope = ''] = await createApiKeys(db, companyId, 1, 'data:write');
      await measureRoutes(stores, keys, withoutScope, quick);
      await measureVerifier(db, keys, quick);
    } finally {
      await db.close();
      await stores.stop();
    }
  },
};
