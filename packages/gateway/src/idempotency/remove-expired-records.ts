import type { Clock, Database } from '@impact-hub/core';

/** Small enough that nobody waits for the deletion's locks. */
const batchRows = 1_000;

/** Deletes stored answers that have expired, in batches, until none is left or the signal aborts. @returns how many */
export const removeExpiredRecords = async (
  { db, clock }: { db: Pick<Database, 'systemSql'>; clock: Clock },
  signal?: AbortSignal,
): Promise<number> => {
  const now = clock.now();
  let removed = 0;
  while (signal?.aborted !== true) {
    const { count } = await db.systemSql`
      delete from idempotency_record where expires_at <= ${now} and ctid = any(array(
        select ctid from idempotency_record where expires_at <= ${now} order by expires_at limit ${batchRows}))`;
    removed += count;
    if (count < batchRows) break;
  }
  return removed;
};
