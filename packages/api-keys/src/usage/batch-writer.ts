import { newId, type Clock, type Sql } from '@impact-hub/core';
import { addUsage } from './add-usage.ts';
import { takeBatch, type Batch, type Usage } from './usage-batch.ts';

/**
 * Writes batches one after the other. One that failed is tried again as it was, under its number, because it may have
 * been committed although the answer was lost; meanwhile the counters go on.
 */
export const createBatchWriter = (options: { sql: Sql; clock: Clock; onError(error: unknown): void }) => {
  const writerId = newId();
  let number = 0;
  let unconfirmed: Batch | undefined;
  const write = async (): Promise<boolean> => {
    if (unconfirmed === undefined) return true;
    try {
      await addUsage(options.sql, unconfirmed);
      unconfirmed = undefined;
      return true;
    } catch (error) {
      options.onError(error);
      return false;
    }
  };
  return {
    pending: () => unconfirmed,
    /** Writes the unconfirmed batch, then what `take` hands over; leaves that where it is when the first one fails. */
    write: async (take: () => readonly Usage[]): Promise<void> => {
      if (!(await write())) return;
      const usages = take();
      if (usages.length === 0) return;
      number += 1;
      unconfirmed = takeBatch(usages, { writerId, number, atMs: options.clock.nowMs() });
      await write();
    },
  };
};
