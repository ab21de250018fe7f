import type { MetricsRegistry, Sql } from '@impact-hub/core';
import { createGroupCommit, inboxLimits, type GroupCommit, type GroupCommitLimits } from './group-commit.ts';
import { createInboxMetrics, type InboxMetrics } from './inbox-metrics.ts';
import { rowOverheadBytes, type AuthenticReceiptRow, type StoredReceipt } from './receipt-row.ts';
import { createRejectedRecorder, type RejectedRecorder } from './record-rejected.ts';
import { createRepeatCap } from './repeat-cap.ts';
import { storeReceipts, storeRejected, wakeRelay } from './store-receipts.ts';
import { createTurns, type Turns } from './take-turns.ts';
import { createBatchWriter } from './write-batch.ts';

export type Inbox = {
  submit: GroupCommit<AuthenticReceiptRow, StoredReceipt>['submit'];
  /** Lets requests begin in turns of their senders. */
  turns: Turns;
  rejected: RejectedRecorder;
  metrics: InboxMetrics;
  /** Decides everything taken, then ends. Call it after the server has stopped. */
  stop(): Promise<void>;
};

type Options = {
  /** A pool of the system role with at least six connections that nothing else uses. */
  sql: Sql;
  registry: MetricsRegistry;
  onError(error: unknown): void;
  limits?: Partial<GroupCommitLimits>;
};

const minWakeIntervalMs = 20;

/** At most one wake-up in flight, and not more often than the relay could use. */
const createWaker = (options: Options): (() => void) => {
  let wokenAtMs = -Infinity;
  let planned = false;
  return () => {
    if (planned) return;
    planned = true;
    setTimeout(
      () => {
        wokenAtMs = performance.now();
        // A lost wake-up costs up to a second: the relay sweeps.
        wakeRelay(options.sql)
          .catch(options.onError)
          .finally(() => (planned = false));
      },
      Math.max(0, wokenAtMs + minWakeIntervalMs - performance.now()),
    );
  };
};

/** Opens the inbox of this process. Resolves when the database has answered. */
export const openInbox = async (options: Options): Promise<Inbox> => {
  const { sql, onError } = options;
  const limits = { ...inboxLimits, ...options.limits };
  const wake = createWaker(options);
  const metrics = createInboxMetrics(options.registry, () => commits.waiting());
  const repeats = createRepeatCap({ nowMs: () => performance.now(), onNotStored: metrics.repeatsNotStored });
  const write = createBatchWriter<AuthenticReceiptRow, StoredReceipt>({
    store: async (rows) => {
      const stored = await storeReceipts(sql, rows, repeats);
      if (stored.some(({ kind }) => kind !== 'duplicate')) wake();
      return stored;
    },
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    nowMs: () => performance.now(),
    patienceMs: limits.deadlineMs * 0.9,
    onError,
  });
  const commits = createGroupCommit<AuthenticReceiptRow, StoredReceipt>({
    write,
    bytesOf: (row) => row.sealed.length + rowOverheadBytes,
    ownersOf: (row) => [row.companyId, row.endpointId],
    arrivedAtMsOf: (row) => row.arrivedAtMs,
    limits,
    onFlush: metrics.flushed,
  });
  const rejected = createRejectedRecorder({
    store: (rows) => storeRejected(sql, rows),
    nowMs: () => performance.now(),
    isBusy: () => commits.waiting().flushes >= limits.flushesInFlight,
    onDropped: metrics.rejectedNotStored,
  });
  await sql`select 1`;
  return {
    submit: commits.submit,
    turns: createTurns(),
    rejected,
    metrics,
    stop: async () => {
      await commits.stop();
      await rejected.stop();
    },
  };
};
