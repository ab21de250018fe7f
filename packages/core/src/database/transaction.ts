import { PgDialect, type PgDatabase } from 'drizzle-orm/pg-core';
import { PostgresJsSession, PostgresJsTransaction, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js';
import type { Sql, TransactionSql } from 'postgres';

export type Orm = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

/** An open transaction: `sql` for reviewed SQL, `orm` for typed queries over the Drizzle tables; both on one connection. */
export type Tx = {
  sql: TransactionSql;
  orm: Orm;
  /** The company row-level security is set to; null in a system transaction. */
  companyId: string | null;
};

const dialect = new PgDialect();

const asTx = (sql: TransactionSql, companyId: string | null): Tx => {
  const session = new PostgresJsSession<never, Record<string, never>, Record<string, never>>(
    sql as never,
    dialect,
    undefined,
  );
  const orm = new PostgresJsTransaction<Record<string, never>, Record<string, never>>(
    dialect,
    session as never,
    undefined,
  );
  return { sql, orm, companyId };
};

/**
 * Runs `work` in a transaction that sees only the rows of `companyId` (row-level security reads `hub.company_id`).
 * The setting travels in the same round trip as the first statement of `work`.
 */
export const inCompanyTransaction = async <T>(
  runtime: Sql,
  companyId: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> =>
  (await runtime.begin(async (sql) => {
    const companySet = sql`select set_config('hub.company_id', ${companyId}, true)`.execute();
    // Without this the rejection would count as unhandled when `work` fails first; it is reported below all the same.
    companySet.catch(() => undefined);
    const result = await work(asTx(sql, companyId));
    await companySet;
    return result;
  })) as T;

/** Runs `work` in a transaction of the system role, which sees the tables granted to it across companies. */
export const inSystemTransaction = async <T>(system: Sql, work: (tx: Tx) => Promise<T>): Promise<T> =>
  (await system.begin(async (sql) => work(asTx(sql, null)))) as T;

/** Runs `work` in a savepoint of `tx`: when it throws, only what it did is undone. */
export const inSavepoint = async <T>(tx: Tx, work: (tx: Tx) => Promise<T>): Promise<T> =>
  (await tx.sql.savepoint(async (sql) => work(asTx(sql, tx.companyId)))) as T;
