import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database, Tx } from '@impact-hub/core';
import { otherNetwork } from './usage-batch.ts';
import type { KeyWatchMetrics } from './usage-metrics.ts';

/**
 * What counts as a burst from a new network: so many calls within a minute, from a network first seen within the last
 * hour, with a key that was used from another network before that hour.
 */
export const burst = { callsPerMinute: 100, newForSeconds: 3_600 } as const;

const anomaliesPerRun = 200;

type Candidate = { apiKeyId: string; companyId: string; keyId: string; network: string };

type Deps = { db: Pick<Database, 'system'>; clock: Clock; keyWatchMetrics: Pick<KeyWatchMetrics, 'anomaly'> };

const findCandidates = (tx: Tx, now: Date): Promise<Candidate[]> =>
  tx.sql<Candidate[]>`
    select fresh.api_key_id as "apiKeyId", fresh.company_id as "companyId", key.key_id as "keyId", fresh.network
    from api_key_network as fresh join api_key as key on key.id = fresh.api_key_id
    where fresh.first_seen_at > ${now}::timestamptz - make_interval(secs => ${burst.newForSeconds})
      and fresh.peak_calls >= ${burst.callsPerMinute} and fresh.flagged_at is null and fresh.network <> ${otherNetwork}
      and exists (select from api_key_network as known
        where known.api_key_id = fresh.api_key_id and known.network <> fresh.network
          and known.first_seen_at <= fresh.first_seen_at - make_interval(secs => ${burst.newForSeconds}))
    order by fresh.first_seen_at limit ${anomaliesPerRun}`;

/** @returns false when another process had flagged it already */
const flag = async (tx: Tx, { apiKeyId, companyId, keyId, network }: Candidate, now: Date): Promise<boolean> => {
  // First, as whoever adds usage does.
  await tx.sql`select 1 from api_key_usage where api_key_id = ${apiKeyId} for update`;
  const [flagged] = await tx.sql<{ calls: number }[]>`
    update api_key_network set flagged_at = ${now}
    where api_key_id = ${apiKeyId} and network = ${network} and flagged_at is null returning peak_calls::float8 as calls`;
  if (flagged === undefined) return false;
  await tx.sql`
    update api_key_usage set anomaly_network = ${network}, anomaly_calls = ${flagged.calls}, anomaly_at = ${now}
    where api_key_id = ${apiKeyId}`;
  await recordAudit(tx, {
    type: 'api_key.anomaly_flagged',
    category: 'security',
    severity: 'warning',
    companyId,
    actor: { kind: 'system', id: 'api-keys' },
    resource: { type: 'api_key', id: keyId },
    metadata: { kind: 'burst_from_new_network', network, callsWithinAMinute: flagged.calls },
  });
  return true;
};

/**
 * Flags keys with a burst of calls from a network that they were never used from, once per key and network, beside
 * the requests: the calls themselves are answered. @returns how many were flagged by this call
 */
export const flagAnomalies = async (deps: Deps): Promise<number> => {
  const now = deps.clock.now();
  let flagged = 0;
  for (const candidate of await deps.db.system((tx) => findCandidates(tx, now))) {
    if (!(await deps.db.system((tx) => flag(tx, candidate, now)))) continue;
    deps.keyWatchMetrics.anomaly();
    flagged += 1;
  }
  return flagged;
};
