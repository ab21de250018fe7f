import { metricFamily, type MetricsRegistry } from '@impact-hub/core';
import { partnerNames, type PartnerName } from '../verification/profile.ts';
import type { RejectionReason } from './authenticate.ts';

const inboxOutcomes = [
  'accepted',
  'duplicate',
  'conflict',
  'quarantined',
  'rejected',
  'unavailable',
  'paused',
] as const;
export type InboxOutcome = (typeof inboxOutcomes)[number];

export type InboxMetrics = {
  /** A webhook was answered. */
  answered(partner: PartnerName, outcome: InboxOutcome, durationMs: number): void;
  rejected(partner: string, reason: RejectionReason | 'unknown_endpoint'): void;
  /** Endpoints of more than one company claim the account a webhook names. */
  contested(partner: string): void;
  rejectedNotStored(count: number): void;
  repeatsNotStored(count: number): void;
  flushed(rows: number, durationMs: number): void;
};

/** From half a millisecond, an idle commit, to the deadline of 3 s. */
const ackSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3];

const tableOf = <K extends string, V>(keys: readonly K[], valueOf: (key: K) => V): Record<K, V> =>
  Object.fromEntries(keys.map((key) => [key, valueOf(key)])) as Record<K, V>;

/** Registers the inbox's metrics. @param waiting read at scrape time */
export const createInboxMetrics = (
  registry: MetricsRegistry,
  waiting: () => { rows: number; bytes: number; flushes: number },
): InboxMetrics => {
  const metrics = metricFamily(registry);
  const total = metrics.counter('impact_in_deliveries_total', 'Webhooks answered, by partner and outcome.', [
    'partner',
    'outcome',
  ]);
  const duration = metrics.histogram(
    'impact_in_delivery_duration_seconds',
    'Time from the last byte of a webhook to its answer.',
    ackSeconds,
    ['partner', 'outcome'],
  );
  // Made once: looking labels up costs more than counting.
  const answers = tableOf(partnerNames, (partner) =>
    tableOf(inboxOutcomes, (outcome) => ({
      total: total.labels({ partner, outcome }),
      duration: duration.labels({ partner, outcome }),
    })),
  );
  const rejections = metrics.counter('impact_in_rejected_total', 'Webhooks that were not authentic, by reason.', [
    'partner',
    'reason',
  ]);
  const contested = metrics.counter(
    'impact_in_contested_hints_total',
    'Webhooks at the bare address whose account is claimed by endpoints of more than one company.',
    ['partner'],
  );
  const notStored = metrics.counter(
    'impact_in_rejected_not_stored_total',
    'Rejected webhooks beyond the cap, counted but not stored.',
  );
  const repeatsNotStored = metrics.counter(
    'impact_in_repeats_not_stored_total',
    'Authentic webhooks sent again beyond the cap, answered but not stored again.',
  );
  const flushRows = metrics.histogram(
    'impact_in_inbox_flush_rows',
    'Receipts per commit.',
    [1, 2, 4, 8, 16, 32, 64, 128, 256],
  );
  const flushSeconds = metrics.histogram(
    'impact_in_inbox_flush_seconds',
    'Duration of one commit of receipts.',
    ackSeconds,
  );
  metrics.gauge('impact_in_inbox_waiting_rows', 'Receipts waiting for their commit.', () => waiting().rows);
  metrics.gauge('impact_in_inbox_waiting_bytes', 'Bytes of receipts waiting for their commit.', () => waiting().bytes);
  metrics.gauge('impact_in_inbox_flushes', 'Commits of receipts in flight.', () => waiting().flushes);
  return {
    answered: (partner, outcome, durationMs) => {
      const answer = answers[partner][outcome];
      answer.total.inc();
      answer.duration.observe(durationMs / 1_000);
    },
    rejected: (partner, reason) => rejections.inc({ partner, reason }),
    contested: (partner) => contested.inc({ partner }),
    rejectedNotStored: (count) => notStored.inc(count),
    repeatsNotStored: (count) => repeatsNotStored.inc(count),
    flushed: (rows, durationMs) => {
      flushRows.observe(rows);
      flushSeconds.observe(durationMs / 1_000);
    },
  };
};
