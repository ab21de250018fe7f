import { connectDatabase, connectSql, migrate, newId, readMigrations, type Sql } from '@impact-hub/core';
import {
  createTestDatabase,
  migrationsDirectory,
  testLogins,
  withDatabase,
  type TestDatabase,
} from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureAuditPartitions } from './audit-partitions.ts';
import { recordAudit } from './record-audit.ts';

/** A managed service: the hub's owner login owns the database and is no superuser. */
const createManagedDatabase = async (admin: Sql, adminUrl: string, mayBecomeAuditOwner: boolean) => {
  const name = `managed_${mayBecomeAuditOwner ? 'with' : 'without'}_role`;
  const login = { name, password: 'managed' };
  await admin.unsafe(`create role ${name} login createrole password 'managed'`);
  // What PostgreSQL 16 and later give to the creator of a role; here it exists already, for the whole cluster.
  if (mayBecomeAuditOwner)
    await admin.unsafe(`grant hub_audit_owner to ${name} with admin true, inherit false, set false`);
  await admin.unsafe(`create database ${name} owner ${name}`);
  const owner = connectSql(withDatabase(adminUrl, name, login), { maxConnections: 2, applicationName: 'managed' });
  await migrate(owner, await readMigrations(migrationsDirectory));
  const db = connectDatabase({
    runtimeUrl: withDatabase(adminUrl, name, testLogins.runtime),
    systemUrl: withDatabase(adminUrl, name, testLogins.system),
    maxConnections: 2,
  });
  return {
    owner,
    db,
    drop: async () => {
      await Promise.all([owner.end({ timeout: 5 }), db.close()]);
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.unsafe(`drop role ${name}`);
    },
  };
};

const changes = [
  `update audit_event set severity = 'info'`,
  `delete from audit_event`,
  `truncate audit_event`,
  `truncate audit_event_${new Date().toISOString().slice(0, 7).replace('-', '_')}`,
];

describe.each([
  { mayBecomeAuditOwner: true, owner: 'hub_audit_owner', refusal: 'permission denied' },
  { mayBecomeAuditOwner: false, owner: 'managed_without_role', refusal: 'append-only' },
])('the audit log where the owner is no superuser, %o', ({ mayBecomeAuditOwner, owner, refusal }) => {
  let store: TestDatabase;
  let managed: Awaited<ReturnType<typeof createManagedDatabase>>;
  beforeAll(async () => {
    store = await createTestDatabase();
    managed = await createManagedDatabase(store.owner, store.ownerUrl, mayBecomeAuditOwner);
    await managed.db.company(newId(), (tx) =>
      recordAudit(tx, { type: 'test.event', category: 'data', actor: { kind: 'system', id: 'test' } }),
    );
  });
  afterAll(async () => {
    await managed.drop();
    await store.drop();
  });

  it('belongs to the NOLOGIN role where that can be had', async () => {
    const owners = await managed.owner`
      select distinct pg_get_userbyid(relowner) as owner from pg_class where relname ~ '^audit_event' and relkind in ('r', 'p')`;
    expect(owners.map((row) => row['owner'])).toEqual([owner]);
    const [member] = await managed.owner`select pg_has_role(current_user, 'hub_audit_owner', 'usage') as is_member`;
    expect(member?.['is_member']).toBe(false);
  });

  it.each(changes)('refuses the migrating role: %s', async (statement) => {
    await expect(managed.owner.unsafe(statement)).rejects.toThrow(refusal);
  });

  it('does not let the migrating role skip triggers', async () => {
    await expect(managed.owner.unsafe('set session_replication_role = replica')).rejects.toThrow('permission denied');
  });

  it('still gets its partitions from the system role', async () => {
    expect(await ensureAuditPartitions(managed.db)).toEqual([]);
  });

  it('states the limit: without event triggers the owner of the database can drop the table', async () => {
    const triggers = await managed.owner`select 1 from pg_event_trigger`;
    expect(triggers).toHaveLength(0);
    await expect(managed.owner.unsafe('drop table audit_event')).resolves.toBeDefined();
  });
});
