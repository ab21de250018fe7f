import { PgDialect, type PgDatabase } from 'drizzle-orm/pg-core';
import { PostgresJsSession, PostgresJsTransaction, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js';
import type { Sql, TransactionSql } from 'postgres';
import { writeChanges, type Change } from './write-changes.ts';

export type { Change } from './write-changes.ts';

export type Orm = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

/** An open transaction: `sql` for reviewed SQL, `orm` for typed queries over the Drizzle tables; both on one connection. */
export type Tx = {
  sql: TransactionSql;
  orm: Orm;
  /** The company row-level security is set to; null in a system transaction. */
  companyId: string | null;
  /**
   * Writes a change to the change feed at the end of the whole transaction, and hands it to the listeners of
   * `Database.onCommitted` when that has committed.
   */
  announce(change: Change): void;
};

const dialect = new PgDialect();

const asTx = (sql: TransactionSql, companyId: string | null, announce: Tx['announce']): Tx => {
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
  return { sql, orm, companyId, announce };
};

type Committed = (changes: readonly Change[]) => void;

/** Runs `work`, then writes what it announced, just before the commit; then tells. */
const announcing = async <T>(
  begin: (work: (sql: TransactionSql) => Promise<T>) => Promise<unknown>,
  work: (sql: TransactionSql, announce: Tx['announce']) => Promise<T>,
  committed: Committed,
): Promise<T> => {
  const changes: Change[] = [];
  const result = await begin(async (sql) => {
    const value = await work(sql, (change) => void changes.push(change));
    if (changes.length > 0) await writeChanges(sql, changes);
    return value;
  });
  if (changes.length > 0) committed(changes);
  return result as T;
};

/**
 * Runs `work` in a transaction that sees only the rows of `companyId` (row-level security reads `hub.company_id`).
 * The setting travels in the same round trip as the first statement of `work`.
 */
export const inCompanyTransaction = <T>(
  runtime: Sql,
  companyId: string,
  work: (tx: Tx) => Promise<T>,
  committed: Committed,
  /** Of `begin` (PostgreSQL manual, BEGIN). */
  mode = '',
): Promise<T> =>
  announcing(
    (run) => runtime.begin(mode, run),
    async (sql, announce) => {
      const companySet = sql`select set_config('hub.company_id', ${companyId}, true)`.execute();
      // Without this the rejection would count as unhandled when `work` fails first; it is reported below all the same.
      companySet.catch(() => undefined);
      const result = await work(asTx(sql, companyId, announce));
      await companySet;
      return result;
    },
    committed,
  );

/** Runs `work` in a transaction of the system role, which sees the tables granted to it across companies. */
export const inSystemTransaction = <T>(system: Sql, work: (tx: Tx) => Promise<T>, committed: Committed): Promise<T> =>
  announcing(
    (run) => system.begin(run),
    (sql, announce) => work(asTx(sql, null, announce)),
    committed,
  );

/** Runs `work` in a savepoint of `tx`: when it throws, only what it did, and announced, is undone. */
export const inSavepoint = async <T>(tx: Tx, work: (tx: Tx) => Promise<T>): Promise<T> => {
  const changes: Change[] = [];
  const result = await tx.sql.savepoint((sql) => work(asTx(sql, tx.companyId, (change) => void changes.push(change))));
  for (const change of changes) tx.announce(change);
  return result as T;
};
