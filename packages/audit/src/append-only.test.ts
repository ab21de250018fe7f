import { connectSql, newId, type Sql } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordAudit } from './record-audit.ts';

const month = new Date().toISOString().slice(0, 7).replace('-', '_');
const partition = `audit_event_${month}`;
const columns = 'id, company_id, at, body, leaf_hash, type, category, severity, result, actor_kind, actor_id';
const copyOfOne = `select ${columns} from audit_event limit 1`;

/** Statements that would change or remove recorded events. */
const changes = [
  `update audit_event set severity = 'info'`,
  `update ${partition} set severity = 'info'`,
  `update audit_event set at = at + interval '1 month'`,
  `delete from audit_event`,
  `delete from ${partition}`,
  `truncate audit_event`,
  `truncate ${partition}`,
  `truncate audit_event cascade`,
  `insert into audit_event (${columns}) ${copyOfOne} on conflict (at, id) do update set severity = 'critical'`,
  `merge into audit_event e using (select * from audit_event limit 1) s on e.id = s.id and e.at = s.at
     when matched then update set severity = 'critical'`,
  `merge into audit_event e using (select * from audit_event limit 1) s on e.id = s.id and e.at = s.at when matched then delete`,
  `with gone as (delete from audit_event returning *) select count(*) from gone`,
  `select id from audit_event for update`,
];

/** Statements that would remove the protection, or the events together with their table. */
const schemaChanges = [
  `alter table audit_event detach partition ${partition}`,
  `drop table ${partition}`,
  `drop table audit_event`,
  `drop table audit_event cascade`,
  `alter table audit_event disable trigger all`,
  `alter table audit_event disable trigger audit_event_append_only`,
  `alter table ${partition} disable trigger user`,
  `alter table ${partition} enable replica trigger audit_event_append_only`,
  `drop trigger audit_event_append_only on audit_event`,
  `drop trigger audit_event_no_truncate on ${partition}`,
  `alter trigger audit_event_append_only on audit_event rename to harmless`,
  `create trigger aa_skip before insert on audit_event for each row execute function suppress_redundant_updates_trigger()`,
  `create rule swallow as on insert to ${partition} do instead nothing`,
  `alter table audit_event disable row level security`,
  `create policy everything on audit_event for all to public using (true)`,
  `drop policy audit_event_company_reads on audit_event`,
  `alter table audit_event owner to hub_system`,
  `alter table ${partition} rename to innocent`,
  `alter table audit_event alter column actor_id type varchar using 'forged'`,
  `alter table audit_event drop column body`,
  `alter table ${partition} set schema pg_catalog`,
  `create or replace function audit_refuse_change() returns trigger language plpgsql as 'begin return new; end'`,
  `alter function audit_refuse_change() rename to innocent`,
  `alter function audit_refuse_change() owner to hub_system`,
  `drop function audit_refuse_change() cascade`,
  `drop owned by hub_audit_owner cascade`,
  `drop schema public cascade`,
];

describe('the append-only audit log', () => {
  let store: TestDatabase;
  let runtime: Sql;
  let system: Sql;
  let superuser: Sql;
  const companyId = newId();
  const connect = (url: string) => connectSql(url, { maxConnections: 1, applicationName: 'append-only' });
  const fingerprint = async (): Promise<unknown> => {
    const [row] = await store.owner`
      select count(*)::int as events, md5(string_agg(e::text, ',' order by at, id)) as content from audit_event e`;
    return row;
  };
  let before: unknown;
  beforeAll(async () => {
    store = await createTestDatabase();
    [runtime, system, superuser] = [connect(store.runtimeUrl), connect(store.systemUrl), connect(store.ownerUrl)];
    for (let i = 0; i < 3; i += 1)
      await store.db.company(companyId, (tx) =>
        recordAudit(tx, { type: 'test.event', category: 'data', actor: { kind: 'system', id: 'test' } }),
      );
    before = await fingerprint();
    // The most a role could ever have by mistake: all but ownership.
    await store.owner`create role hub_test_careless nologin`.catch(() => undefined);
    await superuser.begin(async (tx) => {
      await tx`set local role hub_audit_owner`;
      await tx.unsafe(`grant all on audit_event, ${partition} to hub_test_careless;
        create policy careless on audit_event to hub_test_careless using (true) with check (true);
        create policy careless on ${partition} to hub_test_careless using (true) with check (true)`);
    });
  });
  afterAll(async () => {
    await Promise.all([runtime, system, superuser].map((sql) => sql.end({ timeout: 5 })));
    await store.drop();
  });

  const refusal = /permission denied|append-only|must be owner/;
  const refused = async (sql: Sql, statement: string, setting = ''): Promise<void> => {
    const attempt = sql.begin(async (tx) => {
      await tx`select set_config('hub.company_id', ${companyId}, true)`;
      if (setting !== '') await tx.unsafe(setting);
      await tx.unsafe(statement);
    });
    await expect(attempt).rejects.toThrow(refusal);
    expect(await fingerprint()).toEqual(before);
  };
  const dataChanges = changes.filter((statement) => !statement.endsWith('for update'));

  it.each(changes)('refuses the runtime role: %s', (statement) => refused(runtime, statement));
  it.each(changes)('refuses the system role: %s', (statement) => refused(system, statement));
  it.each(schemaChanges)('refuses the runtime role: %s', (statement) => refused(runtime, statement));
  it.each(schemaChanges)('refuses the system role: %s', (statement) => refused(system, statement));
  it.each([
    'set local session_replication_role = replica',
    'set local role hub_audit_owner',
    'set local event_triggers = off',
  ])('does not let the two roles say: %s', async (setting) => {
    for (const sql of [runtime, system])
      await expect(sql.begin((tx) => tx.unsafe(setting))).rejects.toThrow('permission denied');
  });

  it.each(dataChanges)('refuses a superuser: %s', (statement) => refused(superuser, statement));
  it.each(dataChanges)('refuses a superuser who skips ordinary triggers: %s', (statement) =>
    refused(superuser, statement, 'set local session_replication_role = replica'),
  );
  it.each(dataChanges)('refuses the owner of the tables: %s', (statement) =>
    refused(superuser, statement, 'set local role hub_audit_owner'),
  );
  it.each(schemaChanges)('refuses a superuser: %s', (statement) => refused(superuser, statement));
  it.each(schemaChanges)('refuses a superuser who skips ordinary triggers: %s', (statement) =>
    refused(superuser, statement, 'set local session_replication_role = replica'),
  );
  it.each(dataChanges)('refuses a role with every privilege granted by mistake: %s', (statement) =>
    refused(superuser, statement, 'set local role hub_test_careless'),
  );

  it('cannot be detached concurrently, which no event trigger could take back: the default partition forbids it', async () => {
    const attempt = superuser.unsafe(`alter table audit_event detach partition ${partition} concurrently`);
    await expect(attempt).rejects.toThrow('when a default partition exists');
    expect(await fingerprint()).toEqual(before);
  });

  it('refuses an event whose hash does not fit its bytes', async () => {
    const forged = superuser.unsafe(
      `insert into audit_event (${columns}) select gen_random_uuid(), company_id, at, 'forged'::bytea, leaf_hash, type, category,
        severity, result, actor_kind, actor_id from audit_event limit 1`,
    );
    await expect(forged).rejects.toThrow('check constraint');
  });

  it('gives copies in and nothing else: COPY can only add', async () => {
    await expect(runtime.unsafe(`copy audit_event (${columns}) to program 'cat'`)).rejects.toThrow('permission denied');
    const twice = superuser.unsafe(`insert into audit_event (${columns}) ${copyOfOne}`);
    await expect(twice).rejects.toThrow('duplicate key');
  });

  it('has no foreign key in either direction, so that no cascade reaches it', async () => {
    const keys = await store.owner`
      select conname from pg_constraint where contype = 'f' and 'audit_event'::regclass in (conrelid, confrelid)`;
    expect(keys).toHaveLength(0);
  });

  it('belongs to a role that cannot sign in, and protects every partition alike', async () => {
    const rows = await store.owner`
      select c.relname, pg_get_userbyid(c.relowner) as owner, c.relrowsecurity as secured,
        (select string_agg(tgname || ':' || tgenabled::text, ' ' order by tgname) from pg_trigger where tgrelid = c.oid) as triggers
      from pg_class c where c.oid = 'audit_event'::regclass or c.oid in (select inhrelid from pg_inherits where inhparent = 'audit_event'::regclass)`;
    expect(rows.length).toBeGreaterThan(5);
    for (const row of rows)
      expect(row).toMatchObject({
        owner: 'hub_audit_owner',
        secured: true,
        triggers: 'audit_event_append_only:A audit_event_no_truncate:A',
      });
    const [login] = await store.owner`select rolcanlogin, rolsuper from pg_roles where rolname = 'hub_audit_owner'`;
    expect(login).toEqual({ rolcanlogin: false, rolsuper: false });
  });

  it('leaves ordinary changes of the schema alone', async () => {
    await store.owner.unsafe(`create table other (id int); alter table other add column x int; drop table other`);
    await store.owner.unsafe(`create function other() returns int language sql return 1; drop function other()`);
    await store.owner.unsafe(`reindex table ${partition}`);
    await expect(store.owner.unsafe(`vacuum ${partition}`)).resolves.toBeDefined();
  });

  it('lets maintenance work as the owner', async () => {
    const maintenance = superuser.begin(async (tx) => {
      await tx`set local role hub_audit_owner`;
      return tx.unsafe(`alter table audit_event add column maintained text`);
    });
    await expect(maintenance).resolves.toBeDefined();
  });

  it('states the limit: a superuser can disable the event triggers, then everything', async () => {
    await superuser.begin(async (tx) => {
      await tx.unsafe(`alter event trigger audit_refuse_ddl disable; alter table audit_event disable trigger all`);
      await tx.unsafe(`delete from audit_event`);
    });
    const [row] = await store.owner`select count(*)::int as events from audit_event`;
    expect(row?.['events']).toBe(0);
  });
});
