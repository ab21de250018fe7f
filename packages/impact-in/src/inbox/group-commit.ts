import { createFairQueue, type Owners } from './fair-queue.ts';
import { InboxUnavailable } from './inbox-errors.ts';
import { createQuota, type QuotaLimits } from './inbox-quota.ts';

/** What became of one row of a batch. */
export type RowResult<T> = { stored: T } | { error: Error };

/** The quota bounds what waits or is in flight; beyond it, rows are refused at once. */
export type GroupCommitLimits = QuotaLimits & {
  flushesInFlight: number;
  /** Until a flush has taken this long, the next one waits for it, unless a full batch is there. */
  flushIsLateAfterMs: number;
  rowsPerFlush: number;
  bytesPerFlush: number;
  /** How long a caller waits, counted from its arrival. The row may be committed later all the same. */
  deadlineMs: number;
};

/**
 * One flush at a time gathers the largest batches: measured on two cores with 64 connections (benchmarks/webhook-ack.ts)
 * 15,560 requests/s, against 13,447 with two and 10,754 with four. So that one slow flush does not stop everybody, a
 * second one starts once the first is late: after 10 ms, about three times what a flush takes. More rows gain nothing.
 * The answer leaves within 3 s, below the shortest sender's patience (Shopify, 5 s): what gives up is found by a sweep each
 * 100 ms, and a busy process is late by some more.
 */
export const inboxLimits: GroupCommitLimits = {
  flushesInFlight: 2,
  flushIsLateAfterMs: 10,
  rowsPerFlush: 256,
  bytesPerFlush: 4 * 1_048_576,
  maxRows: 20_000,
  maxBytes: 64 * 1_048_576,
  deadlineMs: 2_750,
};

export type GroupCommitOptions<R, T> = {
  /** Stores the rows durably; one result per row, in their order. Rejects when nothing can be said of any of them. */
  write(rows: readonly R[]): Promise<readonly RowResult<T>[]>;
  bytesOf(row: R): number;
  ownersOf(row: R): Owners;
  /** By `performance.now()`; default when the row is submitted. */
  arrivedAtMsOf?(row: R): number;
  limits: GroupCommitLimits;
  onFlush?(rows: number, durationMs: number): void;
};

export type GroupCommit<R, T> = {
  /** Resolves when the row is committed. @throws InboxUnavailable, or the error `write` gave for the row */
  submit(row: R): Promise<T>;
  waiting(): { rows: number; bytes: number; flushes: number };
  /** Takes no more rows and resolves when everything taken is decided. */
  stop(): Promise<void>;
};

type Waiting<R, T> = {
  row: R;
  bytes: number;
  owners: Owners;
  giveUpAtMs: number;
  settled: boolean;
  resolve(value: T): void;
  reject(error: Error): void;
};

const sweepIntervalMs = 100;

/** Tells the caller, unless it has been told already. */
const settle = <R, T>(item: Waiting<R, T>, result: RowResult<T>): void => {
  if (item.settled) return;
  item.settled = true;
  if ('error' in result) item.reject(result.error);
  else item.resolve(result.stored);
};

/**
 * Gathers rows of many requests into few transactions. There is no timer that delays a row: a flush starts in the
 * same turn of the event loop when a slot is free, so an idle system pays one commit, and batches grow under load
 * while one is on its way to the disk. Of what waits, companies and their endpoints are served in turns.
 */
export const createGroupCommit = <R, T>(options: GroupCommitOptions<R, T>): GroupCommit<R, T> => {
  const { limits } = options;
  const queue = createFairQueue<Waiting<R, T>>();
  const flying = new Set<readonly Waiting<R, T>[]>();
  let lastStartAtMs = 0;
  const quota = createQuota(limits);
  let pumpPlanned = false;
  let stopping = false;
  let whenIdle: (() => void) | undefined;

  const release = (item: Waiting<R, T>): void => {
    quota.give(item.owners, item.bytes);
    if (quota.used().rows === 0) whenIdle?.();
  };

  const flush = async (batch: readonly Waiting<R, T>[]): Promise<void> => {
    const startedAtMs = performance.now();
    try {
      const results = await options.write(batch.map((item) => item.row));
      batch.forEach((item, index) => settle(item, results[index] ?? { error: new InboxUnavailable('database') }));
    } catch (cause) {
      for (const item of batch) settle(item, { error: new InboxUnavailable('database', cause) });
    } finally {
      flying.delete(batch);
      batch.forEach(release);
      options.onFlush?.(batch.length, performance.now() - startedAtMs);
      pump();
    }
  };

  const mayFlush = (): boolean =>
    flying.size === 0 ||
    (flying.size < limits.flushesInFlight &&
      (queue.size() >= limits.rowsPerFlush || performance.now() - lastStartAtMs >= limits.flushIsLateAfterMs));

  const pump = (): void => {
    pumpPlanned = false;
    while (queue.size() > 0 && mayFlush()) {
      const batch = queue.take({ rows: limits.rowsPerFlush, bytes: limits.bytesPerFlush });
      flying.add(batch);
      lastStartAtMs = performance.now();
      void flush(batch);
    }
  };

  /** Rows still queued are dropped when their caller has given up; rows in flight are left to the database. */
  const sweep = (): void => {
    const nowMs = performance.now();
    const hasGivenUp = (item: Waiting<R, T>): boolean => item.giveUpAtMs <= nowMs;
    const late = { error: new InboxUnavailable('deadline') };
    for (const item of queue.removeHeads(hasGivenUp)) {
      settle(item, late);
      release(item);
    }
    for (const batch of flying) for (const item of batch) if (hasGivenUp(item)) settle(item, late);
    // A flush that hangs while nothing new arrives must not hold up what is queued already.
    if (!pumpPlanned) pump();
  };
  const sweeper = setInterval(sweep, sweepIntervalMs).unref();

  const submit = (row: R): Promise<T> => {
    if (stopping) return Promise.reject(new InboxUnavailable('stopping'));
    const size = options.bytesOf(row);
    const owners = options.ownersOf(row);
    if (!quota.take(owners, size)) return Promise.reject(new InboxUnavailable('full'));
    return new Promise<T>((resolve, reject) => {
      queue.push(owners, {
        row,
        bytes: size,
        owners,
        giveUpAtMs: (options.arrivedAtMsOf?.(row) ?? performance.now()) + limits.deadlineMs,
        settled: false,
        resolve,
        reject,
      });
      if (pumpPlanned || !mayFlush()) return;
      // At the end of this turn, so that requests read from the sockets together share a commit.
      pumpPlanned = true;
      setImmediate(pump);
    });
  };

  return {
    submit,
    waiting: () => ({ ...quota.used(), flushes: flying.size }),
    stop: async () => {
      stopping = true;
      if (quota.used().rows > 0)
        await new Promise<void>((resolve) => {
          whenIdle = resolve;
        });
      clearInterval(sweeper);
    },
  };
};
