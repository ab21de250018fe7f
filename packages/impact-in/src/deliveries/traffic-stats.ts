import type { z } from 'zod';
import { deliveryOutcomes, deliveryStatuses, receiptOutcomes } from '../tables.ts';
import { partnerNames } from '../verification/profile.ts';
import type { Count, DeliveryCount, WorkFigures } from './delivery-repository.ts';
import type { statsView } from './schema.ts';

const tally = (counts: readonly Count[], kinds: readonly string[]) => {
  const sum = (matches: (count: Count) => boolean): number =>
    counts.filter(matches).reduce((total, { count }) => total + count, 0);
  const byKind = (matches: (count: Count) => boolean) =>
    Object.fromEntries(kinds.map((kind) => [kind, sum((count) => count.kind === kind && matches(count))]));
  return {
    total: sum(() => true),
    byKind: byKind(() => true),
    byPartner: Object.fromEntries(
      partnerNames.map((partner) => [partner, byKind((count) => count.partner === partner)]),
    ),
  };
};

/** Null when there is nothing of either kind. */
const share = (good = 0, bad = 0): number | null => (good + bad === 0 ? null : good / (good + bad));

/** Sums the counts up for the API. A repeated event was taken well, so only rejections and quarantine lower the ratio. */
export const trafficStats = (
  range: { from: Date; to: Date },
  counts: { deliveries: readonly DeliveryCount[]; receipts: readonly Count[] },
  work: WorkFigures,
): z.output<typeof statsView> => {
  const deliveries = tally(counts.deliveries, deliveryStatuses);
  const byOutcome = tally(
    counts.deliveries.map(({ partner, outcome, count }) => ({ partner, kind: outcome, count })),
    deliveryOutcomes,
  ).byKind;
  const receipts = tally(
    counts.receipts,
    receiptOutcomes.filter((outcome) => outcome !== 'test'),
  );
  const bad = (receipts.byKind['rejected'] ?? 0) + (receipts.byKind['quarantined'] ?? 0);
  return {
    ...range,
    deliveries: {
      total: deliveries.total,
      byStatus: deliveries.byKind,
      byOutcome,
      byPartner: deliveries.byPartner,
      successRatio: share(deliveries.byKind['success'], deliveries.byKind['failed']),
    },
    receipts: {
      total: receipts.total,
      byOutcome: receipts.byKind,
      byPartner: receipts.byPartner,
      acceptedRatio: receipts.total === 0 ? null : (receipts.total - bad) / receipts.total,
    },
    replays: { ...work.replays, successRatio: share(work.replays.succeeded, work.replays.failed) },
    backlog: work.backlog,
  };
};
