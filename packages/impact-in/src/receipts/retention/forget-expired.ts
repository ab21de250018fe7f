import type { Sql } from '@impact-hub/core';
import type { RetentionDays } from '../records.ts';
import type { Expiring } from './retention-metrics.ts';

/** Removing goes on in small statements until it is through, told to stop, or out of time. */
export type Pace = {
  signal: AbortSignal;
  /** By the monotonic clock; no further statement is begun after it. */
  endsAtMs: number;
  pause(ms: number): Promise<void>;
  onRemoved(what: Expiring, count: number): void;
};

const mayGoOn = ({ signal, endsAtMs }: Pace): boolean => !signal.aborted && performance.now() < endsAtMs;

/** 4 MiB, some 20,000 events: a few milliseconds, and no lock that a webhook waits for. */
const blocksAtOnce = 512;
const deliveriesAtOnce = 500;
const verdictsAtOnce = 1_000;
/** So that removing takes half of one connection's time at most. */
const pauseMs = 10;

/** A part of a table, from one block on. @returns where the next part begins, null at the end of the table */
type ForgetBlocks = (firstBlock: number) => Promise<{ removed: string; next: string | null } | undefined>;

const sweepBlocks = async (what: Expiring, firstBlock: number, pace: Pace, forget: ForgetBlocks): Promise<number> => {
  let block: number | null = firstBlock;
  while (block !== null && mayGoOn(pace)) {
    const row = await forget(block);
    pace.onRemoved(what, Number(row?.removed ?? 0));
    block = row === undefined || row.next === null ? null : Number(row.next);
    if (block !== null) await pace.pause(pauseMs);
  }
  return block ?? 0;
};

type Block = { removed: string; next: string | null };

/**
 * Forgets events that came so long ago that nobody sends them again.
 *
 * @param firstBlock where the run before stopped
 * @returns where the next run goes on; 0 when it came to the end of the table
 */
export const forgetEvents = (sql: Sql, days: RetentionDays, firstBlock: number, pace: Pace): Promise<number> =>
  sweepBlocks('events', firstBlock, pace, async (block) => {
    const [row] = await sql<Block[]>`
      select removed, next_block as next from impact_in_forget_events(${block}, ${blocksAtOnce}, ${days.dedupe})`;
    return row;
  });

/** Forgets by what deliveries were found that are gone, see `forgetEvents`. */
export const forgetEntries = (sql: Sql, days: RetentionDays, firstBlock: number, pace: Pace): Promise<number> =>
  sweepBlocks('entries', firstBlock, pace, async (block) => {
    const [row] = await sql<Block[]>`
      select removed, next_block as next from impact_in_forget_entries(${block}, ${blocksAtOnce}, ${days.deliveries})`;
    return row;
  });

const nil = '00000000-0000-0000-0000-000000000000';

/** Forgets deliveries, with their attempts, of which nothing is left to be done. */
export const forgetDeliveries = async (sql: Sql, days: RetentionDays, pace: Pace): Promise<void> => {
  let after: string | null = nil;
  while (after !== null && mayGoOn(pace)) {
    const [row]: { removed: string; last: string | null }[] = await sql`
      select removed, last from impact_in_forget_deliveries(${after}, ${deliveriesAtOnce}, ${days.deliveries})`;
    pace.onRemoved('deliveries', Number(row?.removed ?? 0));
    after = row?.last ?? null;
    if (after !== null) await pace.pause(pauseMs);
  }
};

/** Forgets what was decided later about receipts that are gone. */
export const forgetVerdicts = async (sql: Sql, days: RetentionDays, pace: Pace): Promise<void> => {
  while (mayGoOn(pace)) {
    const [row] = await sql<{ removed: string }[]>`
      select impact_in_forget_verdicts(${verdictsAtOnce}, ${days.receipts}) as removed`;
    const removed = Number(row?.removed ?? 0);
    pace.onRemoved('verdicts', removed);
    if (removed < verdictsAtOnce) return;
    await pace.pause(pauseMs);
  }
};

type Expired = { day: string; held: string | null };

/** A reader that is in the way has usually gone by then. */
const tries = 5;
const pauseAfterLockMs = 500;

const dropDay = async (sql: Sql, day: string, days: RetentionDays, pace: Pace): Promise<boolean> => {
  for (let left = tries; left > 0 && mayGoOn(pace); left -= 1) {
    const [row] = await sql<{ dropped: boolean }[]>`
      select impact_in_drop_receipt_day(${day}::date, ${days.receipts}) as dropped`;
    if (row?.dropped === true) return true;
    await pace.pause(pauseAfterLockMs);
  }
  return false;
};

/**
 * Drops the days of receipts whose time is over, oldest first; those that are still needed, or in use, are left for the
 * next run. A webhook waits for a twentieth of a second at most.
 */
export const dropReceiptDays = async (
  sql: Sql,
  days: RetentionDays,
  pace: Pace,
  onDelayed: (day: string, reason: string) => void,
): Promise<string[]> => {
  const dropped: string[] = [];
  const expired = await sql<Expired[]>`
    select day::text as day, held from impact_in_expired_receipt_days(${days.receipts})`;
  for (const { day, held } of expired) {
    if (!mayGoOn(pace)) return dropped;
    if (held !== null) {
      onDelayed(day, held);
      continue;
    }
    const [row] = await sql<{ rows: string }[]>`select impact_in_count_receipts(${day}::date) as rows`;
    if (await dropDay(sql, day, days, pace)) {
      dropped.push(day);
      pace.onRemoved('receipts', Number(row?.rows ?? 0));
    } else onDelayed(day, 'locked');
  }
  return dropped;
};
