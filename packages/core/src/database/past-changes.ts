import type { Sql } from 'postgres';

/**
 * The changes under these topics that are still remembered (see `changesKeptSeconds`), each key with the number of its
 * last one. For a process that begins, or comes back after it was cut off.
 * @param sql the system role's pool
 */
export const readPastChanges = async (
  sql: Sql,
  topics: readonly string[],
): Promise<{ topic: string; key: string; seq: number }[]> => {
  const rows = await sql<{ topic: string; key: string; seq: string }[]>`
    select topic, key, max(seq)::text as seq from hub_change where topic = any(${[...topics]}::text[]) group by topic, key`;
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
};
