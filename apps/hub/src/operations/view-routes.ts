import { routeDefiner } from '@impact-hub/core';
import type { OperationsDeps } from './deps.ts';
import { readDashboard } from './read-dashboard.ts';
import { readAuditTables, readIdempotencyRecords, readRememberedEvents } from './read-stores.ts';
import { auditView, breakersView, cacheView, dashboardView, replayProtectionView } from './schema.ts';

const defineRoute = routeDefiner<OperationsDeps>();
/** The whole installation, hence more than the administrator of one company may see. */
const access = { scopes: ['admin', 'operations:read'] } as const;

const dashboard = defineRoute({
  method: 'GET',
  path: '/api/health/dashboard',
  operationId: 'getDashboard',
  summary: 'The state of the installation on one page',
  description:
    'Jobs, stored answers and audit events are those of the installation; the rest is of the process that answers.' +
    ' A figure that its store does not give within two seconds is null. While PostgreSQL is away the caller is known' +
    ' from memory for two seconds; after that the answer is 503, as access could have been revoked: use `/ready`.',
  access,
  output: { 200: dashboardView },
  handler: ({ deps }) => readDashboard(deps),
});

const circuitBreakers = defineRoute({
  method: 'GET',
  path: '/api/health/circuit-breakers',
  operationId: 'listCircuitBreakers',
  summary: 'List the circuit breakers with their states and rates',
  access,
  output: { 200: breakersView },
  handler: ({ deps }) => ({ figuresOf: 'this process', data: deps.breakers.list() }),
});

const cache = defineRoute({
  method: 'GET',
  path: '/api/health/cache',
  operationId: 'getCacheFigures',
  summary: 'How the response cache does, by operation',
  access,
  output: { 200: cacheView },
  handler: ({ deps }) => ({ figuresOf: 'this process', ...deps.responseCache.view() }),
});

const audit = defineRoute({
  method: 'GET',
  path: '/api/health/audit',
  operationId: 'getAuditFigures',
  summary: 'Size and growth of the audit log',
  access,
  output: { 200: auditView },
  handler: async ({ deps }) => {
    const { written, ...tables } = await readAuditTables(deps.db.systemSql);
    const base = deps.statistics.audit();
    return {
      figuresOf: 'the installation',
      ...tables,
      writtenSinceReset: Math.max(0, written - base.written),
      since: base.since,
    };
  },
});

const replayProtection = defineRoute({
  method: 'GET',
  path: '/api/health/replay-protection',
  operationId: 'getReplayProtectionFigures',
  summary: 'What keeps a request or an event that comes again from having a second effect',
  access,
  output: { 200: replayProtectionView },
  handler: async ({ deps }) => {
    const { db, statistics } = deps;
    const [idempotency, rememberedEstimate, requests] = await Promise.all([
      readIdempotencyRecords(db.systemSql),
      readRememberedEvents(db.systemSql),
      statistics.replay(),
    ]);
    return { idempotency, webhooks: { rememberedEstimate }, requests: { figuresOf: 'this process', ...requests } };
  },
});

export const viewRoutes = [dashboard, circuitBreakers, cache, audit, replayProtection];
