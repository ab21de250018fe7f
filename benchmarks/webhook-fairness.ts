/**
 * One partner sends 500 events a second (open loop, 32 connections), another one ten times as many (320 connections), or as
 * many as the hub takes (closed loop), each to an endpoint of its own; a worker processes meanwhile. Baseline: the first
 * partner alone.
 * Targets, beside ten times as many: the quiet partner's acknowledgements have a p99 below 100 ms, all are 200; its events
 * are processed, p99, in 2 s, although those of the noisy one queue up.
 */
import type { Sql } from '@impact-hub/core';
import { printTable } from './measure/describe-machine.ts';
import type { LoadResult, LoadShape } from './measure/generate-load.ts';
import { prepareLoad, type PreparedLoad } from './measure/load-process.ts';
import { requireOnly } from './measure/measure-load.ts';
import { openOwnerSql } from './measure/open-database.ts';
import type { WebhookTarget } from './measure/request-source.ts';
import { startServer, type ServerProcess } from './measure/start-server.ts';
import { startBenchStores, type BenchStores } from './measure/start-stores.ts';
import { printTargets } from './measure/targets.ts';
import type { Benchmark } from './run.ts';

const bodyBytes = 1_024;
const quietRatePerSecond = 500;
const quietConnections = 32;
const noisyConnections = 320;
const noisyShapes = {
  'ten times as many': { kind: 'open', ratePerSecond: 10 * quietRatePerSecond },
  'as many as it takes': { kind: 'closed' },
} as const satisfies Record<string, LoadShape>;
/** More than the hub takes. */
const noisyEventsPerSecond = 16_000;

const endpointOf = ({ credentials }: BenchStores, partner: string): WebhookTarget => {
  const found = credentials.endpoints.find((each) => each.partner === partner && each.secret !== undefined);
  if (found === undefined) throw new Error(`there is no endpoint of ${partner}`);
  return found as WebhookTarget;
};

type Sender = { target: WebhookTarget; connections: number; perSecond: number; shape: LoadShape; seed: string };

const prepare = (gateway: ServerProcess, sender: Sender, durationMs: number): Promise<PreparedLoad> =>
  prepareLoad(
    { host: '127.0.0.1', port: gateway.port, connections: sender.connections, durationMs, shape: sender.shape },
    {
      kind: 'webhooks',
      endpoints: [sender.target],
      count: Math.ceil((sender.perSecond * durationMs) / 1_000) + sender.connections,
      bodyBytes,
      seed: sender.seed,
    },
  );

/** Seconds from receipt to delivery of an endpoint's events, and what is still to be processed of all. */
const lagOf = async (
  sql: Sql,
  endpointId: string,
  since: Date,
): Promise<{ p50: number; p99: number; left: number }> => {
  const [row] = await sql<{ p50: number; p99: number; left: number }[]>`
    select percentile_cont(0.5) within group (order by seconds) as p50,
           percentile_cont(0.99) within group (order by seconds) as p99
    from (select extract(epoch from processed_at - received_at)::float8 as seconds from impact_in_delivery
          where endpoint_id = ${endpointId} and received_at >= ${since}) as processed`;
  if (row === undefined) throw new Error('nothing was processed');
  return row;
};

const untilProcessed = async (sql: Sql, endpointId: string): Promise<void> => {
  while ((await sql`select 1 from job where lane = ${endpointId} limit 1`).length > 0)
    await new Promise((resolve) => setTimeout(resolve, 100));
};

const row = (name: string, result: LoadResult, lag: { p50: number; p99: number }) => ({
  case: name,
  'answered/s': Math.round(result.requestsPerSecond),
  'p50 / p95 / p99 ms': [result.latencyMs.p50, result.latencyMs.p95, result.latencyMs.p99]
    .map((ms) => ms.toFixed(1))
    .join(' / '),
  'receipt to delivery p50 / p99 s': `${lag.p50.toFixed(2)} / ${lag.p99.toFixed(2)}`,
  answers: JSON.stringify(result.statuses),
});

type Measuring = { stores: BenchStores; gateway: ServerProcess; sql: Sql; durationMs: number };

const quietSender = (stores: BenchStores, seed: string): Sender => ({
  target: endpointOf(stores, 'goodera'),
  connections: quietConnections,
  perSecond: quietRatePerSecond,
  shape: { kind: 'open', ratePerSecond: quietRatePerSecond },
  seed,
});

/** Runs senders at once. @returns what became of each one's requests, and of its events */
const measure = async ({ gateway, sql, durationMs }: Measuring, senders: readonly Sender[]) => {
  const loads = await Promise.all(senders.map((sender) => prepare(gateway, sender, durationMs)));
  const since = new Date();
  const results = await Promise.all(loads.map((load) => load.run()));
  for (const { target } of senders) await untilProcessed(sql, target.endpointId);
  return Promise.all(
    results.map(async (result, index) => ({
      result,
      lag: await lagOf(sql, senders[index]?.target.endpointId ?? '', since),
    })),
  );
};

const measureAll = async (measuring: Measuring) => {
  const { stores } = measuring;
  await measure({ ...measuring, durationMs: 1_000 }, [quietSender(stores, 'warm')]);
  const [alone] = await measure(measuring, [quietSender(stores, 'alone')]);
  if (alone === undefined) throw new Error('nothing was measured');
  const rows = [row('quiet partner, alone', alone.result, alone.lag)];
  const beside: Partial<Record<keyof typeof noisyShapes, typeof alone>> = {};
  for (const [name, shape] of Object.entries(noisyShapes) as [keyof typeof noisyShapes, LoadShape][]) {
    const noisy: Sender = {
      target: endpointOf(stores, 'benevity'),
      connections: noisyConnections,
      perSecond: shape.kind === 'open' ? shape.ratePerSecond : noisyEventsPerSecond,
      shape,
      seed: name,
    };
    const [quiet, loud] = await measure(measuring, [quietSender(stores, `beside ${name}`), noisy]);
    if (quiet === undefined || loud === undefined) throw new Error('nothing was measured');
    rows.push(row(`quiet partner, beside ${name}`, quiet.result, quiet.lag), row(name, loud.result, loud.lag));
    beside[name] = quiet;
  }
  return { rows, tenTimes: beside['ten times as many'] ?? alone };
};

export const benchmark: Benchmark = {
  run: async ({ quick }) => {
    const stores = await startBenchStores();
    const gateway = await startServer('apps/hub/src/main.ts', ['start', '--target', 'gateway'], stores.settings);
    const worker = await startServer('apps/hub/src/main.ts', ['start', '--target', 'worker'], stores.settings);
    const sql = openOwnerSql(stores);
    try {
      const { rows, tenTimes } = await measureAll({ stores, gateway, sql, durationMs: quick ? 2_000 : 15_000 });
      printTable(rows);
      process.stdout.write('\n');
      requireOnly(tenTimes.result, ['200'], 'the quiet partner');
      printTargets([
        {
          what: 'p99 of the quiet partner',
          measured: tenTimes.result.latencyMs.p99,
          target: 'below',
          limit: 100,
          unit: ' ms',
        },
        { what: 'its p99 from receipt to delivery', measured: tenTimes.lag.p99, target: 'below', limit: 2, unit: ' s' },
      ]);
    } finally {
      await Promise.all([gateway.stop(), worker.stop()]);
      await sql.end({ timeout: 2 });
      await stores.stop();
    }
  },
};
