import type { Sql } from '@impact-hub/core';

const dayMs = 86_400_000;
/** Small enough that nobody waits for the deletion's locks. */
const batchRows = 1_000;

type Kept = { table: string; at: string; days: number };

/** How long what belongs to the usage of keys is kept, in days after the moment in the column `at`. */
const kept: readonly Kept[] = [
  { table: 'api_key_usage_hour', at: 'hour', days: 90 },
  // Networks that a key no longer comes from.
  { table: 'api_key_network', at: 'last_seen_at', days: 90 },
  { table: 'api_key_reminder', at: 'at', days: 400 },
  // A process that writes is seen every second; one that has ended never again.
  { table: 'api_key_usage_writer', at: 'applied_at', days: 7 },
];

const removeOld = async (sql: Sql, { table, at, days }: Kept, now: Date, signal?: AbortSignal): Promise<void> => {
  const end = new Date(now.getTime() - days * dayMs);
  while (signal?.aborted !== true) {
    const { count } = await sql`
      delete from ${sql(table)} where ${sql(at)} < ${end} and ctid = any(array(
        select ctid from ${sql(table)} where ${sql(at)} < ${end} limit ${batchRows}))`;
    if (count < batchRows) return;
  }
};

/**
 * Deletes what is older than it is kept, in batches, until none is left or the signal aborts. One table that fails
 * does not keep the others from being cleared.
 * @throws AggregateError of what failed, after the rest is done
 */
export const removeOldUsage = async (sql: Sql, now: Date, signal?: AbortSignal): Promise<void> => {
  const failures: { table: string; error: unknown }[] = [];
  for (const one of kept)
    try {
      await removeOld(sql, one, now, signal);
    } catch (error) {
      failures.push({ table: one.table, error });
    }
  if (failures.length === 0) return;
  const tables = failures.map(({ table }) => table).join(', ');
  throw new AggregateError(
    failures.map(({ error }) => error),
    `old rows could not be removed from ${tables}`,
    { cause: failures[0]?.error },
  );
};
