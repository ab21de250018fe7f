import { metricFamily, readInTime, type MetricsRegistry, type Sql } from '@impact-hub/core';

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

const readWithinMs = 1_000;

/** Registers the figures of outbound deliveries. @param sql the system's; read when metrics are scraped */
export const createOutboundMetrics = (registry: MetricsRegistry, sql: Sql): OutboundMetrics => {
  const metrics = metricFamily(registry);
  const calls = metrics.counter(
    'impact_in_partner_calls_total',
    'Calls to partner APIs by API and outcome: the error class, or answered.',
    ['api', 'outcome'],
  );
  const duration = metrics.histogram(
    'impact_in_partner_call_duration_seconds',
    'Duration of calls to partner APIs, tokens included.',
    callSeconds,
    ['api'],
  );
  const attempts = metrics.counter(
    'impact_in_outbound_attempts_total',
    'Attempts at outbound deliveries by API and result: success, failure, unknown.',
    ['api', 'result'],
  );
  const waits = metrics.counter(
    'impact_in_outbound_waits_total',
    'Times the sender had to leave due deliveries, by API and reason: rate, circuit, partner.',
    ['api', 'reason'],
  );
  const read = (): Promise<Backlog[] | null> =>
    readInTime(
      sql<Backlog[]>`
        select case c.state when 'active' then o.state else 'paused' end as state, count(*)::int as count,
          greatest(extract(epoch from now() - min(o.due_at)), 0)::float8 as "lateSeconds"
        from impact_in_outbound o join impact_in_connection c on c.id = o.connection_id
        where o.state <> 'done' group by 1`,
      readWithinMs,
    );
  // All figures of one scrape come from one read.
  let reading: Promise<Backlog[] | null> | undefined;
  const backlog = () => (reading ??= read().finally(() => (reading = undefined)));
  metrics.gauge(
    'impact_in_outbound_oldest_due_seconds',
    'How long the outbound delivery that is due longest has been due; what waits for a paused connection is not.',
    async () => {
      const rows = await backlog();
      return rows === null
        ? null
        : Math.max(0, ...rows.map(({ state, lateSeconds }) => (state === 'paused' ? 0 : lateSeconds)));
    },
  );
  metrics.gaugeBy(
    'impact_in_outbound_backlog',
    'Outbound deliveries that have not ended, by state: waiting, sending; paused with their connection.',
    'state',
    async () => {
      const rows = await backlog();
      const countOf = (state: string): number => rows?.find((row) => row.state === state)?.count ?? 0;
      const states = ['waiting', 'sending', 'paused'] as const;
      return rows === null ? null : Object.fromEntries(states.map((state) => [state, countOf(state)]));
    },
  );
  return {
    called: (api, outcome, durationMs) => {
      calls.inc({ api, outcome });
      duration.observe({ api }, durationMs / 1_000);
    },
    attempted: (api, result) => attempts.inc({ api, result }),
    waited: (api, reason) => waits.inc({ api, reason }),
  };
};
