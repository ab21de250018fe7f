import type { MetricsRegistry, Sql } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { createBudgets, type RefillingBudgets } from '../inbox/refilling-budgets.ts';
import { createSearchIndex, type SearchIndex } from './search/search-index.ts';
import { createRecordMetrics, type RecordMetrics } from './record-metrics.ts';
import { createWorkInTurns, type WorkInTurns } from './work-in-turns.ts';
import { createRetentionMetrics, type RetentionMetrics } from './retention/retention-metrics.ts';

/** How long what is kept; in days. */
export type RetentionDays = { receipts: number; dedupe: number; deliveries: number };

/** What the parts around stored receipts share in a process. */
export type Records = {
  /** Explanations that a company may ask for. */
  explanations: RefillingBudgets;
  /** Explaining and verifying again. */
  inTurn: WorkInTurns;
  retention: RetentionDays;
  retentionMetrics: RetentionMetrics;
  /** Where forgetting events goes on; each process has its own, as only one does it. */
  sweep: { nextEvent: number; nextEntry: number };
  search: SearchIndex;
  metrics: RecordMetrics;
};

/** A screen full of them at once, then one every two seconds: each costs some milliseconds of this process. */
const explanationBurst = 60;
const explanationsPerMs = 1 / 2_000;
const maxCompanies = 10_000;

export const defaultRetention: RetentionDays = { receipts: 90, dedupe: 90, deliveries: 400 };

export const createRecords = (
  deps: { registry: MetricsRegistry; crypto: Crypto; sql: Sql },
  retention: Partial<RetentionDays> = {},
): Records => ({
  explanations: createBudgets({
    capacity: explanationBurst,
    refillPerMs: explanationsPerMs,
    maxOwners: maxCompanies,
    nowMs: () => performance.now(),
  }),
  inTurn: createWorkInTurns(),
  retention: { ...defaultRetention, ...retention },
  retentionMetrics: createRetentionMetrics(deps.registry),
  sweep: { nextEvent: 0, nextEntry: 0 },
  metrics: createRecordMetrics(deps.registry, deps.sql),
  search: createSearchIndex({ crypto: deps.crypto, nowMs: () => performance.now() }),
});
