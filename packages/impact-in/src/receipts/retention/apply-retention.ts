import { setTimeout as pause } from 'node:timers/promises';
import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database } from '@impact-hub/core';
import type { Records } from '../records.ts';
import {
  dropReceiptDays,
  forgetDeliveries,
  forgetEntries,
  forgetEvents,
  forgetVerdicts,
  type Pace,
} from './forget-expired.ts';
import type { Expiring } from './retention-metrics.ts';

type Deps = { db: Database; clock: Clock; records: Records };

/** What is left is for the next hour; a day's worth of any table takes less than this. */
const budgetMs = 240_000;

/**
 * Removes what has been kept for as long as the settings say, in steps that hinder nobody, and writes into the audit
 * what and how much. Run each hour by the leader; doing it twice at once is harmless.
 */
export const applyRetention = async (deps: Deps, signal: AbortSignal): Promise<void> => {
  const { db, records } = deps;
  const { retention, retentionMetrics, sweep } = records;
  const counts: Partial<Record<Expiring, number>> = {};
  const delayed: Record<string, string> = {};
  const pace: Pace = {
    signal,
    endsAtMs: performance.now() + budgetMs,
    pause: (ms) => pause(ms),
    onRemoved: (what, count) => {
      counts[what] = (counts[what] ?? 0) + count;
      retentionMetrics.removed(what, count);
    },
  };
  const sql = db.systemSql;
  const receiptDays = await dropReceiptDays(sql, retention, pace, (day, reason) => {
    delayed[day] = reason;
    retentionMetrics.delayed(reason);
  });
  sweep.nextEvent = await forgetEvents(sql, retention, sweep.nextEvent, pace);
  await forgetDeliveries(sql, retention, pace);
  sweep.nextEntry = await forgetEntries(sql, retention, sweep.nextEntry, pace);
  await forgetVerdicts(sql, retention, pace);
  retentionMetrics.finished(deps.clock.nowMs());
  if (Object.values(counts).every((count) => count === 0) && receiptDays.length === 0) return;
  await db.system((tx) =>
    recordAudit(tx, {
      type: 'impact_in.retention.applied',
      category: 'admin',
      actor: { kind: 'system', id: 'impact-in' },
      metadata: { removed: counts, receiptDays, delayed, keptDays: retention },
    }),
  );
};
