/**
 * Durable acknowledgement of webhooks: the hub's own process (`start --target gateway`) takes signed, unique events of
 * 1 KB and answers after its group commit has reached the disk (PostgreSQL with fsync).
 * Baselines, in the same run, rounds interleaved: (a) the same handler that stores nothing, (b) one INSERT per request:
 * same receipt, verification and sealing, one autocommitted statement, pool of 16.
 * Targets: at least 0.6 × (a), at least 2 × (b); p99 below 50 ms at 5,000 requests a second (open loop).
 */
import { connectSql } from '@impact-hub/core';
import { median, printTable } from './measure/describe-machine.ts';
import { prepareLoad } from './measure/load-process.ts';
import { measureLoad, requireOnly, type Measured } from './measure/measure-load.ts';
import type { WebhookTarget } from './measure/request-source.ts';
import { startServer, type ServerProcess } from './measure/start-server.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const bodyBytes = 1_024;
const connections = 64;
const openLoopConnections = 256;
const openLoopRatePerSecond = 5_000;
/** More than the fastest case takes; a round that uses its events up ends early. */
const eventsPerSecond = 30_000;

const startCases = async ({ settings }: BenchStores) => ({
  'group commit (the hub)': await startServer('apps/hub/src/main.ts', ['start', '--target', 'gateway'], settings),
  '(a) stores nothing': await startServer('benchmarks/servers/webhook-server.ts', ['keep-nothing'], settings),
  '(b) INSERT per request': await startServer('benchmarks/servers/webhook-server.ts', ['insert-per-request'], {
    ...settings,
    HUB_DATABASE_POOL_SIZE: '16',
  }),
});
type Case = keyof Awaited<ReturnType<typeof startCases>>;
const theHub: Case = 'group commit (the hub)';
const storesNothing: Case = '(a) stores nothing';

const targetsOf = ({ credentials }: BenchStores): WebhookTarget[] =>
  credentials.endpoints.flatMap((endpoint) => (endpoint.secret === undefined ? [] : [endpoint as WebhookTarget]));

const row = (name: string, runs: readonly Measured[]) => {
  const of = (pick: (run: Measured) => number): number => median(runs.map(pick));
  const rates = runs.map((run) => run.requestsPerSecond);
  return {
    case: name,
    'requests/s': Math.round(of((run) => run.requestsPerSecond)),
    'min–max': `${Math.round(Math.min(...rates))}–${Math.round(Math.max(...rates))}`,
    'p50 ms': of((run) => run.latencyMs.p50).toFixed(1),
    'p95 ms': of((run) => run.latencyMs.p95).toFixed(1),
    'p99 ms': of((run) => run.latencyMs.p99).toFixed(1),
    'server CPU µs': of((run) => run.serverCpuUs).toFixed(1),
    'PostgreSQL CPU µs': of((run) => run.postgresCpuUs).toFixed(1),
  };
};

const countStored = async ({ ownerUrl }: BenchStores): Promise<number> => {
  const sql = connectSql(ownerUrl, { maxConnections: 1, applicationName: 'bench' });
  const [counted] = await sql<{ receipts: number; jobs: number; dedupe: number }[]>`
    select (select count(*) from impact_in_receipt where outcome = 'accepted')::int as receipts,
           (select count(*) from job where queue = 'impact-in.process-receipt')::int as jobs,
           (select count(*) from impact_in_dedupe)::int as dedupe`;
  await sql.end();
  const { receipts = 0, jobs, dedupe } = counted ?? {};
  if (jobs !== receipts || dedupe !== receipts)
    throw new Error(`${receipts} receipts, but ${jobs} jobs and ${dedupe} dedupe rows`);
  return receipts;
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const rounds = quick ? 1 : 7;
    const roundMs = quick ? 1_000 : 3_000;
    const stores = await startBenchStores();
    const servers = await startCases(stores);
    const runs = new Map<string, Measured[]>();
    let acknowledged = 0;
    let prepared = 0;

    const measure = async (name: Case, server: ServerProcess, open: boolean, durationMs: number): Promise<Measured> => {
      const shape = open
        ? ({ kind: 'open', ratePerSecond: openLoopRatePerSecond } as const)
        : ({ kind: 'closed' } as const);
      const perSecond = open ? openLoopRatePerSecond : eventsPerSecond;
      const load = await prepareLoad(
        {
          host: '127.0.0.1',
          port: server.port,
          connections: open ? openLoopConnections : connections,
          durationMs,
          shape,
        },
        {
          kind: 'webhooks',
          endpoints: targetsOf(stores),
          count: Math.ceil((perSecond * durationMs) / 1_000) + openLoopConnections,
          bodyBytes,
          seed: String((prepared += 1)),
        },
      );
      const result = await measureLoad(load, { server: server.pid, postgres: stores.postgresPid });
      requireOnly(result, ['200'], name);
      if (name !== storesNothing) acknowledged += result.requests;
      return result;
    };

    try {
      for (const [name, server] of Object.entries(servers)) await measure(name as Case, server, false, roundMs / 2);
      for (let round = 0; round < rounds; round += 1)
        for (const [name, server] of Object.entries(servers)) {
          const result = await measure(name as Case, server, false, roundMs);
          runs.set(name, [...(runs.get(name) ?? []), result]);
        }
      const open = await measure(theHub, servers[theHub], true, quick ? 2_000 : 15_000);
      const stored = await countStored(stores);
      if (stored !== acknowledged) throw new Error(`${acknowledged} acknowledged, ${stored} stored`);

      const rows = [...runs].map(([name, results]) => row(name, results));
      printTable([...rows, row(`the hub at ${openLoopRatePerSecond}/s (open loop)`, [open])]);
      process.stdout.write(
        `\nMedians of ${rounds} rounds. All ${acknowledged} acknowledged events are stored, each with its job.\n\n`,
      );
      const [hub, nothing, perRequest] = rows.map((each) => each['requests/s']) as [number, number, number];
      printTargets([
        { what: 'throughput against (a)', measured: hub / nothing, target: 'at least', limit: 0.6, unit: '×' },
        { what: 'throughput against (b)', measured: hub / perRequest, target: 'at least', limit: 2, unit: '×' },
        {
          what: `p99 at ${openLoopRatePerSecond}/s`,
          measured: open.latencyMs.p99,
          target: 'below',
          limit: 50,
          unit: ' ms',
        },
      ]);
    } finally {
      await Promise.all(Object.values(servers).map((server) => server.stop()));
      await stores.stop();
    }
  },
};
