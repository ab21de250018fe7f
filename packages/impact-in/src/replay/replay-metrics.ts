import { readInTime, type MetricsRegistry, type Sql } from '@impact-hub/core';
import { Counter, Gauge } from 'prom-client';
import type { Tally } from './replay.ts';

export type ReplayMetrics = { ended(tally: Tally): void };

type Figures = {
  waiting: number;
  running: number;
  paused: number;
  failed: number;
  oldestSeconds: number;
  /** Of the deliveries of the last 30 days' replays; null without any. */
  successRatio: number | null;
};

/** Figures of the replays of all companies. */
export const readReplayFigures = async (sql: Sql): Promise<Figures> => {
  const [row] = await sql<Figures[]>`
    select
      count(*) filter (where state = 'waiting')::int as waiting, count(*) filter (where state = 'running')::int as running,
      count(*) filter (where state = 'paused')::int as paused, count(*) filter (where state = 'failed')::int as failed,
      coalesce(extract(epoch from now() - min(started_at) filter (where state = 'running')), 0)::float8 as "oldestSeconds",
      (sum(succeeded)::float8 / nullif(sum(succeeded + failed), 0)) as "successRatio"
    from impact_in_replay where created_at > now() - interval '30 days'`;
  if (row === undefined) throw new Error('the figures of the replays were not read');
  return row;
};

const readWithinMs = 1_000;

/**
 * Registers the replays' metrics. Gauges are read from the database when they are scraped, so every process tells the
 * same; without an answer in time they are left out (`NaN`).
 */
export const createReplayMetrics = (registry: MetricsRegistry, read: () => Promise<Figures>): ReplayMetrics => {
  const registers = [registry];
  let reading: Promise<Figures | null> | undefined;
  // All figures of one scrape come from one read.
  const figures = () => (reading ??= readInTime(read(), readWithinMs).finally(() => (reading = undefined)));
  const items = new Counter({
    name: 'impact_in_replay_items_total',
    help: 'Deliveries replayed by this process, by how that ended.',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'impact_in_replays',
    help: 'Replays of the last 30 days that have not ended well, by state.',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      const found = await figures();
      if (found === null) return;
      for (const state of ['waiting', 'running', 'paused', 'failed'] as const) this.set({ state }, found[state]);
    },
  });
  const gauge = (name: string, help: string, valueOf: (found: Figures) => number | null): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const found = await figures();
        this.set((found === null ? null : valueOf(found)) ?? Number.NaN);
      },
    });
  };
  gauge('impact_in_replay_oldest_running_seconds', 'Age of the oldest replay that is running.', (f) => f.oldestSeconds);
  gauge(
    'impact_in_replay_success_ratio',
    "Share of the deliveries of the last 30 days' replays that succeeded; the target is above 0.95.",
    (f) => f.successRatio,
  );
  return {
    ended: (tally) => {
      for (const [outcome, count] of Object.entries(tally)) if (count > 0) items.inc({ outcome }, count);
    },
  };
};
