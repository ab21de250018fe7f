import { metricFamily, type MetricsRegistry } from '@impact-hub/core';

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
  const metrics = metricFamily(registry);
  const removed = metrics.counter(
    'impact_in_retention_removed_total',
    'Rows removed by this process because their time was over, by what they are.',
    ['what'],
  );
  for (const what of expiring) removed.inc({ what }, 0);
  const delayed = metrics.counter(
    'impact_in_retention_delayed_total',
    'Times an expired day of receipts stayed: jobs, confirmations or replays needed it, or it was in use (locked).',
    ['reason'],
  );
  let finishedAtMs = 0;
  metrics.gauge(
    'impact_in_retention_finished_timestamp_seconds',
    'When this process last finished removing what had expired; 0 when it never did.',
    () => finishedAtMs / 1_000,
  );
  return {
    removed: (what, count) => removed.inc({ what }, count),
    delayed: (reason) => delayed.inc({ reason }),
    finished: (atMs) => {
      finishedAtMs = atMs;
    },
  };
};
