import type { MetricsRegistry, Sql } from '@impact-hub/core';
import { Counter, Gauge, Histogram } from 'prom-client';

export type OutboundMetrics = {
  /** A call to a partner ended. */
  called(api: string, outcome: string, durationMs: number): void;
  /** Attempts at deliveries, of which one call may hold many. */
  attempted(api: string, result: string): void;
  /** Something was due and had to wait. */
  waited(api: string, reason: 'rate' | 'circuit' | 'partner'): void;
};

const callSeconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

type Backlog = { state: string; count: number; lateSeconds: number };

/** Registers the figures of outbound deliveries. @param sql the system's; read when metrics are scraped */
export const createOutboundMetrics = (registry: MetricsRegistry, sql: Sql): OutboundMetrics => {
  const registers = [registry];
  const calls = new Counter({
    name: 'impact_in_partner_calls_total',
    help: 'Calls to partner APIs by API and outcome: the error class, or answered.',
    labelNames: ['api', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'impact_in_partner_call_duration_seconds',
    help: 'Duration of calls to partner APIs, tokens included.',
    labelNames: ['api'],
    buckets: callSeconds,
    registers,
  });
  const attempts = new Counter({
    name: 'impact_in_outbound_attempts_total',
    help: 'Attempts at outbound deliveries by API and result: success, failure, unknown.',
    labelNames: ['api', 'result'],
    registers,
  });
  const waits = new Counter({
    name: 'impact_in_outbound_waits_total',
    help: 'Times the sender had to leave due deliveries, by API and reason: rate, circuit, partner.',
    labelNames: ['api', 'reason'],
    registers,
  });
  const late = new Gauge({
    name: 'impact_in_outbound_oldest_due_seconds',
    help: 'How long the outbound delivery that is due longest has been due; paused connections do not count.',
    registers,
  });
  new Gauge({
    name: 'impact_in_outbound_backlog',
    help: 'Outbound deliveries of active connections that have not ended, by state: waiting, sending.',
    labelNames: ['state'],
    registers,
    async collect() {
      const rows = await sql<Backlog[]>`
        select o.state, count(*)::int as count, greatest(extract(epoch from now() - min(o.due_at)), 0)::float8 as "lateSeconds"
        from impact_in_outbound o join impact_in_connection c on c.id = o.connection_id and c.state = 'active'
        where o.state <> 'done' group by o.state`.catch(() => undefined);
      if (rows === undefined) return;
      for (const state of ['waiting', 'sending'])
        this.set({ state }, rows.find((row) => row.state === state)?.count ?? 0);
      late.set(Math.max(0, ...rows.map(({ lateSeconds }) => lateSeconds)));
    },
  });
  return {
    called: (api, outcome, durationMs) => {
      calls.inc({ api, outcome });
      duration.observe({ api }, durationMs / 1_000);
    },
    attempted: (api, result) => attempts.inc({ api, result }),
    waited: (api, reason) => waits.inc({ api, reason }),
  };
};
