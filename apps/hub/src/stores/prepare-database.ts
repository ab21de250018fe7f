import { createHmac } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import {
  connectSql,
  ensureLogin,
  isDatabaseUnavailable,
  migrate,
  MigrationError,
  readMigrations,
  type Sql,
} from '@impact-hub/core';
import { rootKeyIdOf } from '@impact-hub/crypto';
import { StartError } from '../config/load-settings.ts';
import { hasEmbeddedPostgres, type Settings } from '../config/settings.ts';
import type { Progress } from './open-stores.ts';

export const migrationsDirectory = fileURLToPath(new URL('../../../../migrations/postgres/', import.meta.url));

export type DatabaseUrls = { runtimeUrl: string; systemUrl: string };

const withLogin = (url: string, username: string, password: string): string => {
  const address = new URL(url);
  address.username = username;
  address.password = password;
  return address.href;
};

const canConnect = async (url: string): Promise<boolean> => {
  const sql = connectSql(url, { maxConnections: 1, applicationName: 'hub-check' });
  try {
    await sql`select 1`;
    return true;
  } catch {
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
};

/** SQLSTATEs an operator meets when an address is wrong (PostgreSQL manual, appendix A), by what to say of it. */
const wrongUrl: Record<string, (setting: string) => string> = {
  '28P01': (setting) => `PostgreSQL refused the user name or password in ${setting}.`,
  '28000': (setting) => `PostgreSQL refused the user named in ${setting}.`,
  '3D000': (setting) => `The database named in ${setting} does not exist; create it first.`,
};

const plainSentence = (error: unknown, url: string, setting: string): unknown => {
  const address = new URL(url);
  const code = (error as { code?: string }).code ?? '';
  const explain = wrongUrl[code];
  if (explain !== undefined) return new StartError(explain(setting));
  if (error instanceof MigrationError) return new StartError(error.message);
  if (error instanceof StartError) return error;
  if (isDatabaseUnavailable(error))
    return new StartError(`PostgreSQL does not answer at ${address.host}; start it or correct ${setting}.`);
  if (code === '42501')
    return new StartError(
      'The user in DATABASE_URL may not create tables or roles; grant it that, or set HUB_DATABASE_RUNTIME_URL and HUB_DATABASE_SYSTEM_URL.',
    );
  return error;
};

const createEmbeddedDatabase = async (ownerUrl: string): Promise<void> => {
  const address = new URL(ownerUrl);
  const name = address.pathname.slice(1);
  address.pathname = '/postgres';
  const admin = connectSql(address.href, { maxConnections: 1, applicationName: 'hub-setup' });
  try {
    const found = await admin`select 1 from pg_database where datname = ${name}`;
    if (found.length === 0) await admin.unsafe(`create database "${name}"`);
  } finally {
    await admin.end({ timeout: 1 });
  }
};

const ensureLogins = async (owner: Sql, ownerUrl: string, rootKey: Buffer): Promise<DatabaseUrls> => {
  const database = new URL(ownerUrl).pathname.slice(1);
  const urls: string[] = [];
  for (const role of ['hub_runtime', 'hub_system'] as const) {
    const name = `${role}_${database}`;
    const password = createHmac('sha256', rootKey).update(`postgres login ${name}`).digest('base64url');
    const url = withLogin(ownerUrl, name, password);
    await ensureLogin(owner, { name, password, memberOf: role }, () => canConnect(url));
    urls.push(url);
  }
  return { runtimeUrl: urls[0] ?? '', systemUrl: urls[1] ?? '' };
};

const givenLogins = (settings: Settings): DatabaseUrls | undefined => {
  const { HUB_DATABASE_RUNTIME_URL: runtimeUrl, HUB_DATABASE_SYSTEM_URL: systemUrl } = settings;
  return runtimeUrl === undefined || systemUrl === undefined ? undefined : { runtimeUrl, systemUrl };
};

/** Before the logins are touched: a process with a wrong key must not change their passwords under all others. */
const requireSameRootKey = async (owner: Sql, rootKey: Buffer): Promise<void> => {
  const rows = await owner<{ id: string }[]>`select distinct root_key_id as id from crypto_key`;
  if (rows.length > 0 && rows.every(({ id }) => id !== rootKeyIdOf(rootKey)))
    throw new StartError(
      'The root key is not the one this database was set up with; set HUB_ROOT_KEY_FILE to the file with the right one.',
    );
};

const migrateAsOwner = async (
  settings: Settings,
  ownerUrl: string,
  rootKey: Buffer,
  onProgress: Progress,
): Promise<DatabaseUrls> => {
  const owner = connectSql(ownerUrl, { maxConnections: 2, applicationName: 'hub-setup', statementTimeoutMs: 0 });
  try {
    if (hasEmbeddedPostgres(settings)) await createEmbeddedDatabase(ownerUrl);
    const applied = await migrate(owner, await readMigrations(migrationsDirectory));
    if (applied.length > 0) onProgress(`database schema: ${applied.length} migrations applied`);
    await requireSameRootKey(owner, rootKey);
    return givenLogins(settings) ?? (await ensureLogins(owner, ownerUrl, rootKey));
  } catch (error) {
    throw plainSentence(error, ownerUrl, 'DATABASE_URL');
  } finally {
    await owner.end({ timeout: 2 });
  }
};

/** Only looks: a process without the owner's password can change nothing about the schema. */
const requireMigrated = async (logins: DatabaseUrls): Promise<DatabaseUrls> => {
  const system = connectSql(logins.systemUrl, { maxConnections: 1, applicationName: 'hub-setup' });
  try {
    const [table] = await system<{ found: string | null }[]>`select to_regclass('hub_migration')::text as found`;
    const applied = table?.found === null ? [] : await system<{ name: string }[]>`select name from hub_migration`;
    const names = new Set(applied.map((row) => row.name));
    const missing = (await readMigrations(migrationsDirectory)).filter((migration) => !names.has(migration.name));
    if (missing.length > 0)
      throw new StartError(
        `The database lacks ${missing.length} migrations; run "hub migrate" with DATABASE_URL set to its owner.`,
      );
    return logins;
  } catch (error) {
    throw plainSentence(error, logins.systemUrl, 'HUB_DATABASE_SYSTEM_URL');
  } finally {
    await system.end({ timeout: 2 });
  }
};

/**
 * Brings the schema up to date and makes the two logins. Their passwords are derived from the root key, so that every
 * process of an installation knows them without a further secret. Given only the two logins, it checks the schema.
 *
 * @param ownerUrl undefined when the process is not to have the owner's password
 * @throws StartError with one plain sentence when the database cannot be reached or used
 */
export const prepareDatabase = async (
  settings: Settings,
  ownerUrl: string | undefined,
  rootKey: Buffer,
  onProgress: Progress,
): Promise<DatabaseUrls> => {
  if (ownerUrl !== undefined) return migrateAsOwner(settings, ownerUrl, rootKey, onProgress);
  const logins = givenLogins(settings);
  if (logins === undefined) throw new Error('neither the owner nor the two logins are known');
  return requireMigrated(logins);
};
