import { randomBytes } from 'node:crypto';
import { connectDatabase, connectSql, type Database, type Sql } from '@impact-hub/core';
import { inject } from 'vitest';
import { templateDatabase, testLogins, withDatabase } from './stores.ts';

export type TestDatabase = {
  name: string;
  /** As the hub uses it: runtime and system role. */
  db: Database;
  /** As the owner of the tables (superuser): for arranging and for looking behind the curtain. */
  owner: Sql;
  ownerUrl: string;
  runtimeUrl: string;
  systemUrl: string;
  drop(): Promise<void>;
};

/** A fresh clone of the migrated template; a few tens of milliseconds. Call `drop` in `afterAll`. */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const { adminUrl } = inject('stores');
  const name = `t_${randomBytes(6).toString('hex')}`;
  const admin = connectSql(adminUrl, { maxConnections: 1, applicationName: 'testkit' });
  // Cloning refuses while another clone of the same template is under way.
  await admin`select pg_advisory_lock(1)`;
  await admin.unsafe(`create database ${name} template ${templateDatabase} strategy file_copy`);
  await admin`select pg_advisory_unlock(1)`;
  const ownerUrl = withDatabase(adminUrl, name);
  const runtimeUrl = withDatabase(adminUrl, name, testLogins.runtime);
  const systemUrl = withDatabase(adminUrl, name, testLogins.system);
  const db = connectDatabase({ runtimeUrl, systemUrl, maxConnections: 8 });
  const owner = connectSql(ownerUrl, { maxConnections: 4, applicationName: 'testkit-owner' });
  return {
    name,
    db,
    owner,
    ownerUrl,
    runtimeUrl,
    systemUrl,
    drop: async () => {
      await Promise.all([db.close(), owner.end({ timeout: 5 })]);
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.end();
    },
  };
};
