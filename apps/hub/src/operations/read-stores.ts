import type { Sql } from '@impact-hub/core';

/** The jobs by state, and how long the oldest that is due has waited. */
export const readJobBacklog = (sql: Sql) =>
  sql<{ state: string; count: number; oldestDueSeconds: number }[]>`
    select state, count(*)::int as count,
           coalesce(extract(epoch from now() - min(run_at) filter (where run_at <= now())), 0)::float8 as "oldestDueSeconds"
    from job group by state`;

/** What PostgreSQL's own statistics say of the audit log: nobody here may read events of all companies. */
export const readAuditTables = async (sql: Sql) => {
  const [row] = await sql<
    { partitions: number; written: string; estimated: string; bytes: string; overflow: string }[]
  >`
    select count(*) filter (where c.relkind = 'r')::int as partitions,
           coalesce(sum(s.n_tup_ins), 0)::text as written,
           coalesce(sum(greatest(s.n_live_tup, 0)), 0)::text as estimated,
           coalesce(sum(pg_total_relation_size(c.oid)), 0)::text as bytes,
           coalesce(sum(s.n_live_tup) filter (where c.relname like '%default%'), 0)::text as overflow
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    left join pg_stat_user_tables s on s.relid = c.oid
    where i.inhparent = 'audit_event'::regclass`;
  return {
    partitions: row?.partitions ?? 0,
    written: Number(row?.written ?? 0),
    estimatedEvents: Number(row?.estimated ?? 0),
    bytes: Number(row?.bytes ?? 0),
    estimatedInDefaultPartition: Number(row?.overflow ?? 0),
  };
};

/** The stored answers of all companies: their number as PostgreSQL estimates it, and the first to expire, by index. */
export const readIdempotencyRecords = async (
  sql: Sql,
): Promise<{ estimatedRecords: number; nextExpiresAt: Date | null }> => {
  const [row] = await sql<{ estimated: string; nextExpiresAt: Date | null }[]>`
    select coalesce((select greatest(n_live_tup, 0) from pg_stat_user_tables
                     where relid = 'idempotency_record'::regclass), 0)::text as estimated,
           (select expires_at from idempotency_record order by expires_at limit 1) as "nextExpiresAt"`;
  return { estimatedRecords: Number(row?.estimated ?? 0), nextExpiresAt: row?.nextExpiresAt ?? null };
};

/** Webhook events remembered for ever, as PostgreSQL estimates them: there may be hundreds of millions. */
export const readRememberedEvents = async (sql: Sql): Promise<number> => {
  const [row] = await sql<{ estimated: string }[]>`
    select n_live_tup::text as estimated from pg_stat_user_tables where relid = 'impact_in_dedupe'::regclass`;
  return Number(row?.estimated ?? 0);
};
