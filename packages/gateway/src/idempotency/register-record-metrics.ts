import type { Clock, MetricsRegistry } from '@impact-hub/core';
import { Gauge } from 'prom-client';

type Records = { estimatedRecords: number; nextExpiresAt: Date | null };

/**
 * Figures of the stored answers to changes, read at scrape time.
 * @param read gives null when the database does not answer in time; the figures are NaN then
 */
export const registerRecordMetrics = (
  registry: MetricsRegistry,
  { clock }: { clock: Clock },
  read: () => Promise<Records | null>,
): void => {
  // Both figures of one scrape come from one read.
  let reading: Promise<Records | null> | undefined;
  const figures: [name: string, help: string, of: (records: Records) => number][] = [
    [
      'idempotency_records',
      'Stored answers of all companies, as PostgreSQL estimates them.',
      (r) => r.estimatedRecords,
    ],
    [
      'idempotency_removal_lag_seconds',
      'For how long the stored answer that expired first has been waiting to be removed; minutes mean that nothing does.',
      ({ nextExpiresAt }) => Math.max(0, (clock.nowMs() - (nextExpiresAt?.getTime() ?? Infinity)) / 1_000),
    ],
  ];
  for (const [name, help, of] of figures)
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const records = await (reading ??= read().finally(() => (reading = undefined)));
        this.set(records === null ? Number.NaN : of(records));
      },
    });
};
