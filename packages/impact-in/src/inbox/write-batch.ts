import { isDatabaseUnavailable } from '@impact-hub/core';
import type { RowResult } from './group-commit.ts';
import { InboxUnavailable, UnstorableRow } from './inbox-errors.ts';

type Options<R, T> = {
  /**
   * Stores all rows or none. Must be repeatable: called again with rows that a lost reply hid, it reports the same.
   */
  store(rows: readonly R[]): Promise<readonly T[]>;
  pause(ms: number): Promise<void>;
  nowMs(): number;
  /** How long to keep trying while the database is away. */
  patienceMs: number;
  onError?(error: unknown): void;
};

const sqlStateOf = (error: unknown): string => {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.length === 5 ? code : '';
};

/** 22: a value the database cannot take; 23: a violated constraint (PostgreSQL manual, appendix A). */
export const isFaultOfARow = (error: unknown): boolean => /^2[23]/.test(sqlStateOf(error));
/** Serialization failure, deadlock: the same statement can succeed at once. */
const isTransient = (error: unknown): boolean => ['40001', '40P01', '55P03'].includes(sqlStateOf(error));

const firstPauseMs = 50;
const maxPauseMs = 500;

/**
 * Makes one batch as reliable as it can be: a deadlock victim tries once more, a short absence of the database is waited
 * for, and a row the database refuses is found by halving, so that it cannot fail its neighbours.
 */
export const createBatchWriter = <R, T>(options: Options<R, T>) => {
  const attempt = async (rows: readonly R[]): Promise<readonly T[]> => {
    const giveUpAtMs = options.nowMs() + options.patienceMs;
    let transientLeft = 1;
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, maxPauseMs)) {
      try {
        return await options.store(rows);
      } catch (error) {
        if (isTransient(error) && transientLeft > 0) transientLeft -= 1;
        else if (isDatabaseUnavailable(error) && options.nowMs() + pauseMs < giveUpAtMs) await options.pause(pauseMs);
        else throw error;
      }
    }
  };

  const write = async (rows: readonly R[]): Promise<RowResult<T>[]> => {
    try {
      return (await attempt(rows)).map((stored) => ({ stored }));
    } catch (error) {
      options.onError?.(error);
      if (!isFaultOfARow(error)) return rows.map(() => ({ error: new InboxUnavailable('database', error) }));
      if (rows.length === 1) return [{ error: new UnstorableRow(error) }];
      const middle = rows.length >> 1;
      return [...(await write(rows.slice(0, middle))), ...(await write(rows.slice(middle)))];
    }
  };
  return write;
};
