import type { ReceiptRow } from './receipt-row.ts';

export type RejectedRecorder = {
  /** Whether one more rejected request of this endpoint and address is to be kept. Ask before sealing it. */
  admits(endpointId: string, ip: string): boolean;
  /** Takes a rejected receipt and returns at once; it is stored when there is time. */
  record(row: ReceiptRow): void;
  /** Stores what is left. */
  stop(): Promise<void>;
};

type Options = {
  store(rows: readonly ReceiptRow[]): Promise<void>;
  nowMs(): number;
  /** True while good traffic waits: rejected receipts then wait as well. */
  isBusy(): boolean;
  onDropped(count: number): void;
};

/** The signature explanation needs the beginning of a body; an attacker may not fill the disk with the rest. */
export const maxRejectedBodyBytes = 16_384;

/** Per endpoint and address: a burst of 20, then one in ten seconds. */
const burst = 20;
const refillPerMs = 1 / 10_000;
const maxBuckets = 10_000;
const maxQueued = 512;
const rowsPerFlush = 64;
const flushIntervalMs = 250;

/**
 * Keeps a sample of refused requests for the company to look into. One flush at a time, bounded in number and size,
 * and only while no authentic receipt waits: a flood of forgeries costs its own rows and nothing else.
 */
export const createRejectedRecorder = (options: Options): RejectedRecorder => {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  let queue: ReceiptRow[] = [];
  let flushing: Promise<void> | undefined;

  const admits = (endpointId: string, ip: string): boolean => {
    const key = `${endpointId} ${ip}`;
    const nowMs = options.nowMs();
    const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    const tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) * refillPerMs);
    const admitted = tokens >= 1 && queue.length < maxQueued;
    // Re-inserted, so that the map's order is that of the last use and the first entry the one to forget.
    buckets.delete(key);
    buckets.set(key, { tokens: admitted ? tokens - 1 : tokens, atMs: nowMs });
    if (buckets.size > maxBuckets) buckets.delete(buckets.keys().next().value ?? '');
    if (!admitted) options.onDropped(1);
    return admitted;
  };

  const flush = async (): Promise<void> => {
    const rows = queue.splice(0, rowsPerFlush);
    await options.store(rows).catch(() => options.onDropped(rows.length));
  };
  const timer = setInterval(() => {
    if (queue.length === 0 || flushing !== undefined || options.isBusy()) return;
    flushing = flush().finally(() => {
      flushing = undefined;
    });
  }, flushIntervalMs).unref();

  return {
    admits,
    record: (row) => {
      if (queue.length < maxQueued) queue.push(row);
      else options.onDropped(1);
    },
    stop: async () => {
      clearInterval(timer);
      await flushing;
      while (queue.length > 0) await flush();
      queue = [];
    },
  };
};
