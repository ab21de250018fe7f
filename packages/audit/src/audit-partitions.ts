import type { Database } from '@impact-hub/core';

/** Months created ahead: the log keeps its partitions although no leader has run for a quarter. */
const monthsAhead = 3;

/**
 * Creates the missing monthly partitions. Safe to call from every process at every start.
 * @returns names of the partitions created now
 */
export const ensureAuditPartitions = async (db: Database): Promise<string[]> => {
  const rows = await db.systemSql<{ name: string }[]>`select audit_ensure_partitions(${monthsAhead}) as name`;
  return rows.map((row) => row.name);
};

/** @throws Error when the partition of this or the next month is missing; events then go to the default partition */
export const checkAuditPartitions = async (db: Database): Promise<void> => {
  const missing = await db.systemSql<{ name: string }[]>`
    select name from generate_series(0, 1) as ahead,
      lateral (select 'audit_event_' || to_char((now() at time zone 'UTC') + make_interval(months => ahead), 'YYYY_MM') as name)
    where to_regclass(name) is null`;
  if (missing.length > 0) throw new Error(`audit partition ${missing[0]?.name} is missing`);
};
