import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sql } from 'postgres';
import { ensureGroupRoles } from './roles.ts';

export type Migration = { name: string; sql: string; sha256: string };

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** Reads `NNNN_name.sql` files in order. @throws MigrationError on a file that is not named so, or a number used twice */
export const readMigrations = async (directory: string): Promise<Migration[]> => {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort();
  const numbers = new Set<string>();
  for (const file of files) {
    const number = /^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1];
    if (number === undefined) throw new MigrationError(`migration ${file} must be named NNNN_name.sql`);
    if (numbers.has(number)) throw new MigrationError(`migration number ${number} is used twice`);
    numbers.add(number);
  }
  return Promise.all(
    files.map(async (name) => {
      const sql = await readFile(join(directory, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    }),
  );
};

/** Any constant: all hubs must take the same lock. */
const migrationLockKey = 4_801_002_117;

/**
 * Applies what is missing, each file in a transaction of its own, forward only, one migrator at a time.
 * Migrations unknown to this version are left alone, so that an older process can start beside a newer schema.
 *
 * @param owner connection of the role that shall own the tables
 * @returns names applied now
 * @throws MigrationError when an applied file was changed afterwards
 */
export const migrate = async (
  owner: Sql,
  migrations: readonly Migration[],
  onProgress: (line: string) => void = () => undefined,
): Promise<string[]> => {
  const connection = await owner.reserve();
  try {
    await connection`select pg_advisory_lock(${migrationLockKey})`;
    await ensureGroupRoles(connection);
    await connection`create table if not exists hub_migration (
      name text primary key, sha256 text not null, applied_at timestamptz not null default now())`;
    // For processes that start without the owner's password and only check.
    await connection`grant select on hub_migration to hub_system`;
    const rows = await connection<{ name: string; sha256: string }[]>`select name, sha256 from hub_migration`;
    const applied = new Map(rows.map((row) => [row.name, row.sha256]));
    const missing: Migration[] = [];
    for (const migration of migrations) {
      const sha256 = applied.get(migration.name);
      if (sha256 === undefined) missing.push(migration);
      else if (sha256 !== migration.sha256)
        throw new MigrationError(
          `migration ${migration.name} was changed after it had been applied; restore the file and add a new migration instead`,
        );
    }
    for (const migration of missing) {
      onProgress(`applying ${migration.name}`);
      await connection.unsafe(
        `begin; ${migration.sql}\n; insert into hub_migration (name, sha256) values ('${migration.name}', '${migration.sha256}'); commit;`,
      );
    }
    return missing.map((migration) => migration.name);
  } catch (error) {
    await connection`rollback`.catch(() => undefined);
    throw error;
  } finally {
    await connection`select pg_advisory_unlock(${migrationLockKey})`.catch(() => undefined);
    connection.release();
  }
};
