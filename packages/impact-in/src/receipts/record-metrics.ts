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
/** For figures that take some milliseconds to read. */
const keptForMs = 60_000;
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

type Figures = Record<string, number>;

/** One row: bytes by what is stored, and the days that have a partition already. */
const readStorage = async (sql: Sql): Promise<Figures | null> => {
  const [row] = await sql<Record<string, string>[]>`
    select coalesce(sum(pg_total_relation_size(c.oid)), 0) as receipts,
      count(*) filter (where c.relname > 'impact_in_receipt_' || to_char(now() at time zone 'utc', 'YYYYMMDD')
                         and c.relname ~ '\\d{8}$') as "daysAhead",
      pg_total_relation_size('impact_in_dedupe') as events,
      pg_total_relation_size('impact_in_delivery') + pg_total_relation_size('impact_in_attempt') as deliveries,
      pg_total_relation_size('impact_in_search_entry') as entries
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'impact_in_receipt'::regclass`;
  return row === undefined
    ? null
    : Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)]));
};

/** Reads at most once a minute. */
const forAMinute = (read: () => Promise<Figures | null>): (() => Promise<Figures | null>) => {
  let kept: { figures: Promise<Figures | null>; atMs: number } | undefined;
  return () => {
    const nowMs = performance.now();
    if (kept === undefined || nowMs - kept.atMs >= keptForMs)
      kept = { figures: readInTime(read(), readWithinMs), atMs: nowMs };
    return kept.figures;
  };
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
  const storage = forAMinute(() => readStorage(sql));
  metrics.gaugeBy('impact_in_storage_bytes', 'Size on disk, with indexes, by what is stored.', 'what', async () => {
    const { receipts, events, deliveries, entries } = (await storage()) ?? {};
    return receipts === undefined ? null : ({ receipts, events, deliveries, entries } as Record<string, number>);
  });
  metrics.gauge(
    'impact_in_receipt_days_ahead',
    'Days after today that have a partition for their receipts; without one the default partition takes them.',
    async () => (await storage())?.['daysAhead'] ?? null,
  );
  const quarantine = forAMinute(() => readQuarantine(sql));
  metrics.gaugeBy(
    'impact_in_quarantined_receipts',
    'Events of the last seven days in quarantine that nobody has taken since, by partner.',
    'partner',
    quarantine,
  );
  return { processed: (partner, latencyMs) => ofPartner.get(partner)?.observe(Math.max(0, latencyMs) / 1_000) };
};
