import type { MetricsRegistry } from '@impact-hub/core';
import { Counter, Gauge } from 'prom-client';
import type { ReminderReason } from './find-due-reminders.ts';

/** How far writing lags behind counting; both figures are near zero in a healthy process. */
export const registerUsageMetrics = (
  registry: MetricsRegistry,
  read: { keysWaiting(): number; oldestMs(): number },
): void => {
  new Gauge({
    name: 'api_keys_usage_backlog',
    help: 'API keys with usage that is counted and not yet written.',
    registers: [registry],
    collect() {
      this.set(read.keysWaiting());
    },
  });
  new Gauge({
    name: 'api_keys_usage_flush_age_seconds',
    help: 'Age of the oldest usage that is counted and not yet written.',
    registers: [registry],
    collect() {
      this.set(read.oldestMs() / 1_000);
    },
  });
};

export type KeyWatchMetrics = { anomaly(): void; reminder(reason: ReminderReason): void };

/** Counters of what the schedules of this package find. */
export const createKeyWatchMetrics = (registry: MetricsRegistry): KeyWatchMetrics => {
  const anomalies = new Counter({
    name: 'api_keys_anomalies_total',
    help: 'Bursts from a new network that were flagged.',
    registers: [registry],
  });
  const reminders = new Counter({
    name: 'api_keys_reminders_total',
    help: 'Reminders of keys that need attention, by reason.',
    labelNames: ['reason'],
    registers: [registry],
  });
  return { anomaly: () => anomalies.inc(), reminder: (reason) => reminders.inc({ reason }) };
};
