import { metricFamily, readInTime, type MetricsRegistry, type Sql } from '@impact-hub/core';
import { confirmReceiptJob, processReceiptJob } from '../inbox/store-receipts.ts';
import { partnerNames } from '../verification/profile.ts';

export type RecordMetrics = {
  /** An event became a delivery so long after its receipt. */
  processed(partner: string, latencyMs: number): void;
};

/** From the first moment a relay can act to the hours of a backlog. */
const latencySeconds = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1_800, 7_200, 86_400];

const readWithinMs = 1_000;
/** Counting reads some pages of each day. */
const quarantineForMs = 60_000;
const quarantineDays = 7;

type Backlog = { waiting: number; oldestSeconds: number; dead: number };

const readBacklog = async (sql: Sql): Promise<Backlog | null> => {
  const [row] = await sql<Backlog[]>`
    select count(*) filter (where state <> 'dead')::int as waiting, count(*) filter (where state = 'dead')::int as dead,
      coalesce(extract(epoch from now() - min(created_at) filter (where state <> 'dead')), 0)::float8 as "oldestSeconds"
    from job where queue in (${processReceiptJob}, ${confirmReceiptJob})`;
  return row ?? null;
};

const readQuarantine = async (sql: Sql): Promise<Record<string, number>> => {
  const rows = await sql<{ partner: string; quarantined: string }[]>`
    select partner, quarantined from impact_in_quarantined(${quarantineDays})`;
  return Object.fromEntries(
    partnerNames.map((name) => [name, Number(rows.find(({ partner }) => partner === name)?.quarantined ?? 0)]),
  );
};

/**
 * Registers what an operator needs of receipts that are taken: whether they are processed, and how soon. What is read
 * from the database is the same in every process.
 */
export const createRecordMetrics = (registry: MetricsRegistry, sql: Sql): RecordMetrics => {
  const metrics = metricFamily(registry);
  const latency = metrics.histogram(
    'impact_in_processing_latency_seconds',
    'Time from the receipt of a webhook to its delivery.',
    latencySeconds,
    ['partner'],
  );
  const ofPartner = new Map(
    partnerNames.map((partner): [string, { observe(value: number): void }] => [partner, latency.labels({ partner })]),
  );
  // All figures of one scrape come from one read.
  let reading: Promise<Backlog | null> | undefined;
  const backlog = () => (reading ??= readInTime(readBacklog(sql), readWithinMs).finally(() => (reading = undefined)));
  const figure = (name: string, help: string, valueOf: (found: Backlog) => number): void =>
    metrics.gauge(name, help, async () => {
      const found = await backlog();
      return found === null ? null : valueOf(found);
    });
  figure('impact_in_backlog_receipts', 'Accepted receipts that are not processed yet.', ({ waiting }) => waiting);
  figure(
    'impact_in_backlog_oldest_seconds',
    'Age of the oldest accepted receipt that is not processed yet.',
    ({ oldestSeconds }) => oldestSeconds,
  );
  figure('impact_in_dead_receipts', 'Accepted receipts whose processing was given up.', ({ dead }) => dead);
  let quarantine: { read: Promise<Record<string, number> | null>; atMs: number } | undefined;
  metrics.gaugeBy(
    'impact_in_quarantined_receipts',
    'Events of the last seven days in quarantine that nobody has taken since, by partner.',
    'partner',
    () => {
      const nowMs = performance.now();
      if (quarantine === undefined || nowMs - quarantine.atMs >= quarantineForMs)
        quarantine = { read: readInTime(readQuarantine(sql), readWithinMs), atMs: nowMs };
      return quarantine.read;
    },
  );
  return { processed: (partner, latencyMs) => ofPartner.get(partner)?.observe(Math.max(0, latencyMs) / 1_000) };
};
