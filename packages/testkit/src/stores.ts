import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectSql, ensureLogin, migrate, readMigrations } from '@impact-hub/core';
import { startEmbeddedPostgres, startEmbeddedRedis } from '@impact-hub/embedded-stores';
import { databasesOfRedis, forbidSharedEffects } from './test-redis.ts';

/** Addresses of the stores that one test run shares; passed to the test files by vitest's `provide`. */
export type TestStores = {
  /** Superuser, database `postgres`. */
  adminUrl: string;
  redisUrl: string;
};

export const templateDatabase = 'hub_template';
/** Logins every cloned database shares; roles are cluster-wide. */
export const testLogins = {
  runtime: { name: 'hub_test_runtime', password: 'runtime-of-this-test-run', memberOf: 'hub_runtime' },
  system: { name: 'hub_test_system', password: 'system-of-this-test-run', memberOf: 'hub_system' },
} as const;

export const migrationsDirectory = fileURLToPath(new URL('../../../migrations/postgres/', import.meta.url));

/** The same server, another database or login. */
export const withDatabase = (url: string, database: string, login?: { name: string; password: string }): string => {
  const address = new URL(url);
  address.pathname = `/${database}`;
  if (login !== undefined) {
    address.username = login.name;
    address.password = login.password;
  }
  return address.href;
};

const buildTemplate = async (adminUrl: string): Promise<void> => {
  const admin = connectSql(adminUrl, { maxConnections: 1, applicationName: 'testkit' });
  await admin.unsafe(`create database ${templateDatabase}`);
  const template = connectSql(withDatabase(adminUrl, templateDatabase), {
    maxConnections: 2,
    applicationName: 'testkit',
  });
  await migrate(template, await readMigrations(migrationsDirectory));
  for (const login of Object.values(testLogins)) await ensureLogin(admin, login, async () => false);
  await template.end();
  await admin.end();
};

/**
 * Starts PostgreSQL and Redis in a temporary directory and builds the migrated template database. fsync is off: the
 * data is thrown away, and what tests of durability need is the order of commits, not the disk.
 */
export const startTestStores = async (): Promise<{ stores: TestStores; stop(): Promise<void> }> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'hub-test-'));
  const [postgres, redis] = await Promise.all([
    startEmbeddedPostgres({
      dataDir: join(dataDir, 'postgres'),
      settings: { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' },
    }),
    startEmbeddedRedis({ dataDir: join(dataDir, 'redis'), persistence: false, databases: databasesOfRedis }),
  ]);
  await forbidSharedEffects(redis.url);
  await buildTemplate(postgres.adminUrl);
  return {
    stores: { adminUrl: postgres.adminUrl, redisUrl: redis.url },
    stop: async () => {
      await Promise.all([postgres.stop('immediate'), redis.stop()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
