import type { Sql } from '@impact-hub/core';
import { runReadinessChecks } from '../system/readiness.ts';
import type { OperationsDeps } from './deps.ts';
import { orNull } from './read-in-time.ts';
import { readByLabel } from './read-counter.ts';
import { readAuditTables, readIdempotencyRecords, readJobBacklog } from './read-stores.ts';

const summariseCache = ({ responseCache }: OperationsDeps) => {
  const { operations, entries, bytes, usesRedis } = responseCache.view();
  const hits = operations.reduce((sum, one) => sum + one.memory + one.redis + one.joined, 0);
  const requests = operations.reduce((sum, one) => sum + one.miss + one.refresh + one.bypass, hits);
  return { entries, bytes, usesRedis, requests, hitRate: requests === 0 ? 0 : hits / requests };
};

const summariseBreakers = ({ breakers }: OperationsDeps) => {
  const all = breakers.list();
  const named = (state: string) => all.filter((one) => one.state === state).map(({ name }) => name);
  return { total: all.length, open: named('open'), halfOpen: named('half_open') };
};

const summariseRecords = async (sql: Sql) => {
  const { estimatedRecords } = await readIdempotencyRecords(sql);
  return { estimatedRecords };
};

const summariseAudit = async (sql: Sql) => {
  const { estimatedEvents, bytes, estimatedInDefaultPartition } = await readAuditTables(sql);
  return { estimatedEvents, bytes, estimatedInDefaultPartition };
};

/** The state of the hub on one page, as the process that answers sees it. */
export const readDashboard = async (deps: OperationsDeps) => {
  const { db, metrics } = deps;
  const [report, jobs, idempotency, audit, refused, degraded] = await Promise.all([
    runReadinessChecks(deps.modules()),
    orNull(readJobBacklog(db.systemSql)),
    orNull(summariseRecords(db.systemSql)),
    orNull(summariseAudit(db.systemSql)),
    readByLabel(metrics, 'api_keys_rate_limit_exceeded_total', 'limit'),
    readByLabel(metrics, 'rate_limit_degraded', ''),
  ]);
  return {
    ...report,
    version: deps.version,
    uptimeSeconds: Math.floor(process.uptime()),
    processId: process.pid,
    changeFeedCurrent: deps.changes.isCurrent(),
    jobs,
    breakers: summariseBreakers(deps),
    cache: summariseCache(deps),
    limits: { degraded: degraded[''] === 1, refused },
    idempotency,
    audit,
  };
};
