import type { MetricsRegistry } from '@impact-hub/core';
import { Counter, Gauge } from 'prom-client';

export const expiring = ['receipts', 'events', 'deliveries', 'entries', 'verdicts'] as const;
export type Expiring = (typeof expiring)[number];

export type RetentionMetrics = {
  removed(what: Expiring, count: number): void;
  /** A day of receipts has expired and is still there. */
  delayed(reason: string): void;
  finished(atMs: number): void;
};

/** Registers the figures of what is removed when its time is over. */
export const createRetentionMetrics = (registry: MetricsRegistry): RetentionMetrics => {
  const registers = [registry];
  const removed = new Counter({
    name: 'impact_in_retention_removed_total',
    help: 'Rows removed by this process because their time was over, by what they are.',
    labelNames: ['what'],
    registers,
  });
  for (const what of expiring) removed.inc({ what }, 0);
  const delayed = new Counter({
    name: 'impact_in_retention_delayed_total',
    help: 'Times an expired day of receipts stayed: jobs, confirmations or replays needed it, or it was in use (locked).',
    labelNames: ['reason'],
    registers,
  });
  const finished = new Gauge({
    name: 'impact_in_retention_finished_timestamp_seconds',
    help: 'When this process last finished removing what had expired; 0 when it never did.',
    registers,
  });
  return {
    removed: (what, count) => removed.inc({ what }, count),
    delayed: (reason) => delayed.inc({ reason }),
    finished: (atMs) => finished.set(atMs / 1_000),
  };
};
