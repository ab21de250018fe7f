import { newId, publishChange, routeDefiner, type Tx } from '@impact-hub/core';
import { operatorTopic, resetMark } from '@impact-hub/gateway';
import { access, audited } from './audited-change.ts';
import type { OperationsDeps } from './deps.ts';
import { readAuditTables } from './read-stores.ts';
import { resetView } from './schema.ts';

const defineRoute = routeDefiner<OperationsDeps>();

type Reset = (tx: Tx, resetAt: Date) => Promise<unknown>;
/** What the reset needs to know beforehand is read outside of its transaction. */
type PrepareReset = (deps: OperationsDeps) => Promise<Reset>;

const resetCache: PrepareReset = async () => (tx) => publishChange(tx, operatorTopic, `${resetMark}${newId()}`);
const resetReplay: PrepareReset = async ({ statistics }) => statistics.resetReplay;
const resetAudit: PrepareReset = async ({ db, statistics }) => {
  const { written } = await readAuditTables(db.systemSql);
  return (tx, resetAt) => statistics.resetAudit(tx, resetAt, written);
};

type Figures = {
  /** Whose figures, as in the address. */
  of: string;
  operationId: string;
  summary: string;
  description?: string;
  /** Type of the audit event. */
  event: string;
  prepare: readonly PrepareReset[];
};

const resetRoute = ({ of, event, prepare, ...described }: Figures) =>
  defineRoute({
    ...described,
    method: 'POST',
    path: `/api/health/${of}/reset`,
    access,
    output: { 200: resetView },
    handler: async (call) => {
      const resetAt = call.deps.clock.now();
      const resets = await Promise.all(prepare.map((one) => one(call.deps)));
      await audited(call, event, {}, async (tx) => {
        for (const reset of resets) await reset(tx, resetAt);
      });
      return { resetAt };
    },
  });

const figures: Figures[] = [
  {
    of: 'dashboard',
    operationId: 'resetDashboardFigures',
    summary: 'Count the figures of the cache, the audit log and replay protection anew, in every process',
    description: 'Figures only: no circuit breaker is closed, nothing kept or stored is touched.',
    event: 'operations.figures_reset',
    prepare: [resetCache, resetAudit, resetReplay],
  },
  {
    of: 'cache',
    operationId: 'resetCacheFigures',
    summary: 'Count the figures of the response cache anew, in every process',
    event: 'operations.cache_figures_reset',
    prepare: [resetCache],
  },
  {
    of: 'audit',
    operationId: 'resetAuditFigures',
    summary: 'Count the figures of the audit log anew; no event is touched',
    event: 'operations.audit_figures_reset',
    prepare: [resetAudit],
  },
  {
    of: 'replay-protection',
    operationId: 'resetReplayProtectionFigures',
    summary: 'Count the figures of replay protection anew, in every process; the protection is untouched',
    event: 'operations.replay_protection_figures_reset',
    prepare: [resetReplay],
  },
];

export const resetFiguresRoutes = figures.map(resetRoute);
