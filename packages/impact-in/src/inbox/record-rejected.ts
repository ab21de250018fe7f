import { addressBlock } from './address-block.ts';
import type { ReceiptRow } from './receipt-row.ts';
import { createBudgets } from './refilling-budgets.ts';

export type RejectedRecorder = {
  /** Whether one more rejected request of this endpoint and address is to be kept. Ask before sealing its bytes. */
  admits(endpointId: string, ip: string, bytes: number): boolean;
  /** Takes a rejected receipt as it is answered, and returns at once; it is stored when there is time. */
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
  limits?: Partial<typeof rejectedLimits>;
};

/** The signature explanation needs the beginning of a body; an attacker may not fill the disk with the rest. */
export const maxRejectedBodyBytes = 16_384;

/** Bytes that refused requests may add to the disk, whoever sends them; as much again can come in the first hour. */
export const rejectedLimits = { bytesPerHourOfEndpoint: 4 * 1_048_576, bytesPerHour: 32 * 1_048_576 };

/** Per endpoint and block of addresses: a burst of 20, then one in ten seconds. */
const burst = 20;
const refillRowsPerMs = 1 / 10_000;
const hourMs = 3_600_000;
const maxOwners = 10_000;
const maxQueued = 512;
const rowsPerFlush = 64;
const flushIntervalMs = 250;

/**
 * Keeps a sample of refused requests for the company to look into. One flush at a time, bounded in number and size,
 * and only while no authentic receipt waits: a flood of forgeries costs its own rows and nothing else.
 */
export const createRejectedRecorder = (options: Options): RejectedRecorder => {
  const limits = { ...rejectedLimits, ...options.limits };
  const { nowMs } = options;
  let queue: ReceiptRow[] = [];
  let flushing: Promise<void> | undefined;

  const ofSender = createBudgets({ capacity: burst, refillPerMs: refillRowsPerMs, maxOwners, nowMs });
  const hourly = (capacity: number) => createBudgets({ capacity, refillPerMs: capacity / hourMs, maxOwners, nowMs });
  const ofEndpoint = hourly(limits.bytesPerHourOfEndpoint);
  const ofProcess = hourly(limits.bytesPerHour);

  const admits = (endpointId: string, ip: string, bytes: number): boolean => {
    const sender = `${endpointId} ${addressBlock(ip)}`;
    const admitted =
      queue.length < maxQueued &&
      ofSender.left(sender) >= 1 &&
      ofEndpoint.left(endpointId) >= bytes &&
      ofProcess.left('') >= bytes;
    if (!admitted) {
      options.onDropped(1);
      return false;
    }
    ofSender.spend(sender, 1);
    ofEndpoint.spend(endpointId, bytes);
    ofProcess.spend('', bytes);
    return true;
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
      if (queue.length < maxQueued) queue.push({ ...row, answeredAtMs: performance.now() });
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
