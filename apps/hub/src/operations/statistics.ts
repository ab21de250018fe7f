import { newId, publishChange, type ChangeFeed, type MetricsRegistry, type Tx } from '@impact-hub/core';
import { readByLabel } from './read-counter.ts';

/** Topic of the wishes to count anew. */
const topic = 'operations.reset';
const areas = { replayProtection: 'replay_protection', audit: 'audit' } as const;

type Counts = Record<string, number>;
type ReplayCounts = { idempotency: Counts; webhooks: Counts };

const readReplayCounts = async (metrics: MetricsRegistry): Promise<ReplayCounts> => ({
  idempotency: await readByLabel(metrics, 'idempotency_requests_total', 'outcome'),
  webhooks: await readByLabel(metrics, 'impact_in_deliveries_total', 'outcome'),
});

const minus = (counts: Counts, earlier: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count - (earlier[name] ?? 0)]));

/**
 * Figures since an operator last asked to count anew. The metrics themselves only ever grow: what is shown is their
 * distance from what they were then. The wish travels by the change feed, so that every process takes it.
 */
export const createStatistics = (
  { changes, metrics }: { changes: Pick<ChangeFeed, 'subscribe'>; metrics: MetricsRegistry },
  onError: (error: unknown) => void,
) => {
  let replaySince = new Date();
  let replayBase: ReplayCounts = { idempotency: {}, webhooks: {} };
  let audit: { since: Date | null; written: number } = { since: null, written: 0 };
  const lastHeard = new Map<string, string>();

  const hear = (key: string): void => {
    const [area = '', , atMs, written] = key.split(':');
    // Comes by several ways and counts once, also when the wish for another area came with it.
    if (lastHeard.get(area) === key) return;
    lastHeard.set(area, key);
    if (area === areas.audit) audit = { since: new Date(Number(atMs)), written: Number(written) };
    else {
      replaySince = new Date(Number(atMs));
      readReplayCounts(metrics).then((counts) => (replayBase = counts), onError);
    }
  };
  changes.subscribe(topic, hear);

  return {
    resetReplay: (tx: Tx, now: Date) => publishChange(tx, topic, `${areas.replayProtection}:${newId()}:${+now}`),
    /** @param written rows PostgreSQL has counted so far */
    resetAudit: (tx: Tx, now: Date, written: number) =>
      publishChange(tx, topic, `${areas.audit}:${newId()}:${+now}:${written}`),
    replay: async () => {
      const counts = await readReplayCounts(metrics);
      return {
        since: replaySince,
        idempotency: minus(counts.idempotency, replayBase.idempotency),
        webhooks: minus(counts.webhooks, replayBase.webhooks),
      };
    },
    audit: () => audit,
  };
};

export type Statistics = ReturnType<typeof createStatistics>;
