import type { Sql } from 'postgres';
import { createAmbientTransaction } from './ambient-transaction.ts';
import { createClient } from './postgres-driver.ts';
import { inCompanyTransaction, inSavepoint, inSystemTransaction, type Change, type Tx } from './transaction.ts';

export type { Sql };

export type Database = {
  /**
   * Transaction as the runtime role, confined by row-level security to one company. The role owns nothing and
   * cannot bypass the policies.
   */
  company<T>(companyId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** For reading only, all of it as of one moment: what several tables tell of one thing. Joins no other transaction. */
  snapshot<T>(companyId: string, work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Transaction as the system role: only for work that has no company yet (relay, key lookup, sign-in, ingest). */
  system<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Runs `work` so that every `company` (or, for a transaction of the system, `system`) call inside it joins `tx` as a
   * savepoint instead of committing by itself. Of what `work` does, only that is undone with `tx`.
   */
  joining<T>(tx: Tx, work: () => Promise<T>): Promise<T>;
  /** Calls `listener` at once with what a transaction of this process announced, when it has committed. */
  onCommitted(listener: (changes: readonly Change[]) => void): void;
  /** Single statements as the system role, outside a transaction. */
  systemSql: Sql;
  close(): Promise<void>;
};

export type DatabaseOptions = {
  /** Login that is a member of `hub_runtime`. */
  runtimeUrl: string;
  /** Login that is a member of `hub_system`. */
  systemUrl: string;
  /** Connections per role. */
  maxConnections: number;
  statementTimeoutMs?: number;
};

const maxReconnectDelaySeconds = 1;

/**
 * A postgres.js client with the settings every pool of the hub shares. JSON parameters are passed as strings already
 * serialised (Drizzle does so itself), hence the transparent JSON serialisers.
 */
export const connectSql = (
  url: string,
  options: { maxConnections: number; applicationName: string; statementTimeoutMs?: number },
): Sql => {
  const sql = createClient(url, {
    max: options.maxConnections,
    connect_timeout: 5,
    idle_timeout: 0,
    backoff: (attempts: number) => Math.min(0.05 * 2 ** attempts, maxReconnectDelaySeconds),
    onnotice: () => undefined,
    connection: {
      application_name: options.applicationName,
      statement_timeout: options.statementTimeoutMs ?? 15_000,
      idle_in_transaction_session_timeout: 30_000,
    },
  });
  const asIs = (value: unknown) => value;
  sql.options.serializers[114] = asIs;
  sql.options.serializers[3802] = asIs;
  return sql;
};

/** Opens the two pools. Nothing is connected until the first query. */
export const connectDatabase = (options: DatabaseOptions): Database => {
  const shared = {
    maxConnections: options.maxConnections,
    ...(options.statementTimeoutMs === undefined ? {} : { statementTimeoutMs: options.statementTimeoutMs }),
  };
  const runtime = connectSql(options.runtimeUrl, { ...shared, applicationName: 'hub-runtime' });
  const system = connectSql(options.systemUrl, { ...shared, applicationName: 'hub-system' });
  const ambient = createAmbientTransaction(inSavepoint);
  const listeners: ((changes: readonly Change[]) => void)[] = [];
  const committed = (changes: readonly Change[]): void => listeners.forEach((listener) => listener(changes));
  return {
    company: (companyId, work) =>
      ambient.join(companyId, work) ?? inCompanyTransaction(runtime, companyId, work, committed),
    snapshot: (companyId, work) =>
      inCompanyTransaction(runtime, companyId, work, committed, 'isolation level repeatable read read only'),
    system: (work) => ambient.join(null, work) ?? inSystemTransaction(system, work, committed),
    joining: ambient.within,
    onCommitted: (listener) => void listeners.push(listener),
    systemSql: system,
    close: async () => {
      await Promise.all([runtime.end({ timeout: 5 }), system.end({ timeout: 5 })]);
    },
  };
};
