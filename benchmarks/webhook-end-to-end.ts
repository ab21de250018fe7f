/**
 * From the request to the finished delivery: signed, unique events of 1 KB come in an open loop to a gateway
 * (`start --target gateway`) and are processed meanwhile by a worker (`start --target worker`), both on the same cores as
 * PostgreSQL (fsync on), Redis and the load. The clock of "everything" runs until the last delivery is written.
 * Baseline: the same worker without batches (one job, one transaction), each draining a backlog of its own.
 * Targets: 5,000 events a second for 60 s, processed at most 2 s after the last answer; at least 3 × the baseline.
 * `--rate=<n>` and `--seconds=<n>` try other loads.
 */
import type { Sql } from '@impact-hub/core';
import { cpuSecondsOf } from './measure/cpu-time.ts';
import { printTable } from './measure/describe-machine.ts';
import type { LoadResult, LoadShape } from './measure/generate-load.ts';
import { prepareLoad } from './measure/load-process.ts';
import { requireOnly } from './measure/measure-load.ts';
import { openOwnerSql } from './measure/open-database.ts';
import type { WebhookTarget } from './measure/request-source.ts';
import { startServer, type ServerProcess } from './measure/start-server.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const bodyBytes = 1_024;
const connections = 256;
const backlogConnections = 64;
const drainTimeoutMs = 600_000;

const numberOption = (args: readonly string[], name: string, otherwise: number): number =>
  Number(args.find((arg) => arg.startsWith(`--${name}=`))?.split('=', 2)[1] ?? otherwise);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const targetsOf = ({ credentials }: BenchStores): WebhookTarget[] =>
  credentials.endpoints.flatMap((endpoint) => (endpoint.secret === undefined ? [] : [endpoint as WebhookTarget]));

const send = async (
  stores: BenchStores,
  gateway: ServerProcess,
  seed: string,
  load: { count: number; durationMs: number; shape: LoadShape },
): Promise<{ run(): Promise<LoadResult> }> =>
  prepareLoad(
    {
      host: '127.0.0.1',
      port: gateway.port,
      connections: load.shape.kind === 'open' ? connections : backlogConnections,
      durationMs: load.durationMs,
      shape: load.shape,
    },
    { kind: 'webhooks', endpoints: targetsOf(stores), count: load.count, bodyBytes, seed },
  );

const countJobs = async (sql: Sql): Promise<number> =>
  (await sql<{ left: number }[]>`select count(*)::int as left from job`)[0]?.left ?? 0;

/** Cheap, since it is asked again and again beside the work. */
const isDrained = async (sql: Sql): Promise<boolean> => (await sql`select 1 from job limit 1`).length === 0;

/** @returns seconds until no job was left */
const drained = async (sql: Sql): Promise<number> => {
  const startedAtMs = performance.now();
  while (!(await isDrained(sql))) {
    if (performance.now() - startedAtMs > drainTimeoutMs) throw new Error('the backlog was not processed in time');
    await pause(50);
  }
  return (performance.now() - startedAtMs) / 1_000;
};

/** @throws Error unless every acknowledged event has one delivery, one successful attempt and one audit event */
const recount = async (sql: Sql, acknowledged: number): Promise<void> => {
  const [counts] = await sql<Record<'deliveries' | 'attempts' | 'audits', number>[]>`
    select (select count(*) from impact_in_delivery where outcome in ('applied', 'superseded'))::int as deliveries,
           (select count(*) from impact_in_attempt where result = 'success')::int as attempts,
           (select count(*) from audit_event where type = 'impact_in.event.processed')::int as audits`;
  for (const [what, count] of Object.entries(counts ?? {}))
    if (count !== acknowledged) throw new Error(`${acknowledged} acknowledged events, but ${count} ${what}`);
};

const cpuOf = (pids: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOf(pid)]));

/** Microseconds of CPU per event, by process. */
const cpuPerEvent = (before: Record<string, number>, after: Record<string, number>, events: number) =>
  Object.fromEntries(
    Object.entries(after).map(([name, used]) => [
      `${name} µs`,
      (((used - (before[name] ?? 0)) * 1e6) / events).toFixed(1),
    ]),
  );

const startWorker = (stores: BenchStores, batched: boolean): Promise<ServerProcess> =>
  batched
    ? startServer('apps/hub/src/main.ts', ['start', '--target', 'worker'], stores.settings)
    : startServer('benchmarks/servers/single-job-worker.ts', [], stores.settings);

const withWorker = async <T>(
  stores: BenchStores,
  batched: boolean,
  measure: (worker: ServerProcess) => Promise<T>,
): Promise<T> => {
  const worker = await startWorker(stores, batched);
  try {
    return await measure(worker);
  } finally {
    await worker.stop();
  }
};

/** Fills the inbox while nobody works, then lets one worker finish it. */
const drainBacklog = async (stores: BenchStores, gateway: ServerProcess, sql: Sql, batched: boolean, count: number) => {
  const load = await send(stores, gateway, `backlog ${batched} ${count}`, {
    count,
    durationMs: 60_000,
    shape: { kind: 'closed' },
  });
  requireOnly(await load.run(), ['200'], 'backlog');
  const backlog = await countJobs(sql);
  return withWorker(stores, batched, async (worker) => {
    const pids = { worker: worker.pid, PostgreSQL: stores.postgresPid, Redis: stores.redisPid };
    const before = cpuOf(pids);
    const seconds = await drained(sql);
    return {
      case: batched ? 'in batches (the hub)' : 'one job, one transaction',
      events: backlog,
      'events/s': Math.round(backlog / seconds),
      ...cpuPerEvent(before, cpuOf(pids), backlog),
    };
  });
};

const endToEnd = async (
  stores: BenchStores,
  { gateway, worker }: Record<'gateway' | 'worker', ServerProcess>,
  sql: Sql,
  { rate, seconds }: { rate: number; seconds: number },
) => {
  const load = await send(stores, gateway, `open ${rate}`, {
    count: rate * seconds + connections,
    durationMs: seconds * 1_000,
    shape: { kind: 'open', ratePerSecond: rate },
  });
  const pids = { gateway: gateway.pid, worker: worker.pid, PostgreSQL: stores.postgresPid, Redis: stores.redisPid };
  const before = cpuOf(pids);
  const startedAt = new Date();
  const result = await load.run();
  requireOnly(result, ['200'], 'open loop');
  const backlog = await countJobs(sql);
  const drainSeconds = await drained(sql);
  const after = cpuOf(pids);
  const [lag] = await sql<{ p50: number; p99: number }[]>`
    select percentile_cont(0.5) within group (order by seconds) as p50,
           percentile_cont(0.99) within group (order by seconds) as p99
    from (select extract(epoch from processed_at - received_at)::float8 as seconds from impact_in_delivery
          where received_at >= ${startedAt}) as processed`;
  return { result, backlog, drainSeconds, lag, cpu: cpuPerEvent(before, after, result.requests) };
};

export const benchmark: Benchmark = {
  run: async ({ quick, args }) => {
    const rate = numberOption(args, 'rate', quick ? 1_000 : 5_000);
    const seconds = numberOption(args, 'seconds', quick ? 3 : 60);
    const backlogEvents = quick ? 1_000 : 10_000;
    const stores = await startBenchStores();
    const gateway = await startServer('apps/hub/src/main.ts', ['start', '--target', 'gateway'], stores.settings);
    const sql = openOwnerSql(stores);
    try {
      const single = await drainBacklog(stores, gateway, sql, false, backlogEvents);
      const batched = await drainBacklog(stores, gateway, sql, true, backlogEvents * 3);
      printTable([single, batched]);
      const { result, backlog, drainSeconds, lag, cpu } = await withWorker(stores, true, (worker) =>
        endToEnd(stores, { gateway, worker }, sql, { rate, seconds }),
      );
      await recount(sql, single.events + batched.events + result.requests);
      const { latencyMs } = result;
      process.stdout.write('\n');
      printTable([
        {
          case: `open loop, ${rate}/s for ${seconds} s`,
          'acknowledged/s': Math.round(result.requestsPerSecond),
          'ack p50 / p95 / p99 ms': [latencyMs.p50, latencyMs.p95, latencyMs.p99]
            .map((ms) => ms.toFixed(1))
            .join(' / '),
          'receipt to delivery p50 / p99 ms': [lag?.p50 ?? 0, lag?.p99 ?? 0]
            .map((s) => (s * 1_000).toFixed(0))
            .join(' / '),
          'backlog at the end': backlog,
          'drained after s': drainSeconds.toFixed(2),
          ...cpu,
        },
      ]);
      process.stdout.write(
        `\nEvery acknowledged event has one delivery, one successful attempt and one audit event.\n\n`,
      );
      printTargets([
        {
          what: 'acknowledged',
          measured: result.requestsPerSecond,
          target: 'at least',
          limit: rate * 0.99,
          unit: '/s',
        },
        { what: 'last answer to last delivery', measured: drainSeconds, target: 'below', limit: 2, unit: ' s' },
        {
          what: 'batches against one job, one transaction',
          measured: batched['events/s'] / single['events/s'],
          target: 'at least',
          limit: 3,
          unit: '×',
        },
      ]);
    } finally {
      await gateway.stop();
      await sql.end({ timeout: 2 });
      await stores.stop();
    }
  },
};
