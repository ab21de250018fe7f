import { actorOf, recordAudit } from '@impact-hub/audit';
import { newId, publishChange, routeDefiner, type CompanyPrincipal, type RequestInfo, type Tx } from '@impact-hub/core';
import {
  everything,
  nameOfKey,
  nameOfPattern,
  nameOfTag,
  operatorTopic,
  removeExpiredRecords,
  resetMark,
} from '@impact-hub/gateway';
import type { OperationsDeps } from './deps.ts';
import { readAuditTables } from './read-stores.ts';
import {
  clearCacheBody,
  clearedReplayView,
  clearedView,
  resetBreakersBody,
  resetBreakersView,
  resetView,
  type ClearCacheBody,
} from './schema.ts';

const defineRoute = routeDefiner<OperationsDeps>();
const access = { scopes: ['admin', 'operations:manage'] } as const;

type By = { principal: CompanyPrincipal; deps: OperationsDeps; request: RequestInfo };

/** Records who did what, and does in the same transaction what can be done in one. */
const audited = (
  { principal, deps, request }: By,
  type: string,
  metadata: Record<string, unknown>,
  work: (tx: Tx) => Promise<unknown> = async () => undefined,
): Promise<unknown> =>
  deps.db.company(principal.companyId, async (tx) => {
    const severity = 'warning';
    await recordAudit(tx, { type, category: 'admin', severity, actor: actorOf(principal), request, metadata });
    return work(tx);
  });

const resetBreakers = defineRoute({
  method: 'POST',
  path: '/api/health/circuit-breakers/reset',
  operationId: 'resetCircuitBreakers',
  summary: 'Close one circuit breaker, or all, in every process',
  access,
  input: { body: resetBreakersBody },
  output: { 200: resetBreakersView },
  handler: async (call) => {
    const name = call.input.body?.name;
    await audited(call, 'operations.circuit_breakers_reset', { name: name ?? null });
    return { name: name ?? null, known: call.deps.breakers.reset(name) };
  },
});

const resetCache = defineRoute({
  method: 'POST',
  path: '/api/health/cache/reset',
  operationId: 'resetCacheFigures',
  summary: 'Count the figures of the response cache anew, in every process',
  access,
  output: { 200: resetView },
  handler: async (call) => {
    const resetAt = call.deps.clock.now();
    await audited(call, 'operations.cache_figures_reset', {}, (tx) =>
      publishChange(tx, operatorTopic, `${resetMark}${newId()}`),
    );
    return { resetAt };
  },
});

const nameToClear = ({ tag, pattern, key }: ClearCacheBody): string => {
  if (tag !== undefined) return nameOfTag(tag);
  if (pattern !== undefined) return nameOfPattern(pattern);
  return key === undefined ? everything : nameOfKey(key);
};

const clearCache = defineRoute({
  method: 'POST',
  path: '/api/health/cache/clear',
  operationId: 'clearCache',
  summary: 'Declare kept answers stale, in every process: by tag, pattern or key, or all',
  access,
  input: { body: clearCacheBody },
  output: { 200: clearedView },
  handler: async (call) => {
    const body = call.input.body ?? {};
    await audited(call, 'operations.cache_cleared', { ...body }, (tx) =>
      publishChange(tx, operatorTopic, nameToClear(body)),
    );
    return { cleared: body.tag ?? body.pattern ?? body.key ?? 'everything' };
  },
});

const resetAudit = defineRoute({
  method: 'POST',
  path: '/api/health/audit/reset',
  operationId: 'resetAuditFigures',
  summary: 'Count the figures of the audit log anew; no event is touched',
  access,
  output: { 200: resetView },
  handler: async (call) => {
    const { clock, db, statistics } = call.deps;
    const resetAt = clock.now();
    const { written } = await readAuditTables(db.systemSql);
    await audited(call, 'operations.audit_figures_reset', {}, (tx) => statistics.resetAudit(tx, resetAt, written));
    return { resetAt };
  },
});

const resetReplayProtection = defineRoute({
  method: 'POST',
  path: '/api/health/replay-protection/reset',
  operationId: 'resetReplayProtectionFigures',
  summary: 'Count the figures of replay protection anew, in every process; the protection is untouched',
  access,
  output: { 200: resetView },
  handler: async (call) => {
    const resetAt = call.deps.clock.now();
    await audited(call, 'operations.replay_protection_figures_reset', {}, (tx) =>
      call.deps.statistics.resetReplay(tx, resetAt),
    );
    return { resetAt };
  },
});

const clearReplayProtection = defineRoute({
  method: 'POST',
  path: '/api/health/replay-protection/clear',
  operationId: 'clearReplayProtection',
  summary: 'Remove stored answers that have expired',
  description:
    'Removes only what protects from nothing any more: an answer that is still stored, and every remembered webhook' +
    ' event, stays, because without it a repetition would have a second effect.',
  access,
  output: { 200: clearedReplayView },
  handler: async (call) => {
    const { db, clock } = call.deps;
    const removedExpired = await removeExpiredRecords({ db, clock });
    await audited(call, 'operations.replay_protection_cleared', { removedExpired });
    return { removedExpired };
  },
});

const resetDashboard = defineRoute({
  method: 'POST',
  path: '/api/health/dashboard/reset',
  operationId: 'resetDashboardFigures',
  summary: 'Count the figures of the cache, the audit log and replay protection anew, in every process',
  description: 'Figures only: no circuit breaker is closed, nothing kept or stored is touched.',
  access,
  output: { 200: resetView },
  handler: async (call) => {
    const { clock, db, statistics } = call.deps;
    const resetAt = clock.now();
    const { written } = await readAuditTables(db.systemSql);
    await audited(call, 'operations.figures_reset', {}, async (tx) => {
      await publishChange(tx, operatorTopic, `${resetMark}${newId()}`);
      await statistics.resetAudit(tx, resetAt, written);
      await statistics.resetReplay(tx, resetAt);
    });
    return { resetAt };
  },
});

export const changeRoutes = [
  resetDashboard,
  resetBreakers,
  resetCache,
  clearCache,
  resetAudit,
  resetReplayProtection,
  clearReplayProtection,
];
