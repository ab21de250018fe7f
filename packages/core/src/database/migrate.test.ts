import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectSql } from './connect-database.ts';
import { migrate, MigrationError, type Migration } from './migrate.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const migration = (name: string, sql: string): Migration => ({ name, sql, sha256: `sha of ${sql}` });

test('a migration applied once is not applied again', async () => {
  const one = migration('9001_one.sql', 'create table m_one (id int)');
  expect(await migrate(database.owner, [one])).toEqual(['9001_one.sql']);
  expect(await migrate(database.owner, [one])).toEqual([]);
});

test('a changed migration stops the start and names the file', async () => {
  await migrate(database.owner, [migration('9002_two.sql', 'create table m_two (id int)')]);
  const changed = migration('9002_two.sql', 'create table m_two (id bigint)');
  await expect(migrate(database.owner, [changed])).rejects.toThrow(MigrationError);
  await expect(migrate(database.owner, [changed])).rejects.toThrow('9002_two.sql');
});

test('a failing migration leaves nothing behind and can be repeated', async () => {
  const broken = migration('9003_three.sql', 'create table m_three (id int); select no_such_function()');
  await expect(migrate(database.owner, [broken])).rejects.toThrow('no_such_function');
  const [row] = await database.owner`select to_regclass('m_three') as found`;
  expect(row?.['found']).toBeNull();
  const repaired = migration('9003_three.sql', 'create table m_three (id int)');
  expect(await migrate(database.owner, [repaired])).toEqual(['9003_three.sql']);
});

test('a late-merged lower number is applied, not skipped', async () => {
  await migrate(database.owner, [migration('9020_late.sql', 'create table m_late (id int)')]);
  expect(await migrate(database.owner, [migration('9010_early.sql', 'create table m_early (id int)')])).toEqual([
    '9010_early.sql',
  ]);
});

test('two migrators at once apply every file once', async () => {
  const files = [1, 2, 3].map((n) =>
    migration(`91${n}0_x.sql`, `create table m_race_${n} (id int); select pg_sleep(0.05)`),
  );
  const other = connectSql(database.ownerUrl, { maxConnections: 1, applicationName: 'second' });
  const applied = await Promise.all([migrate(database.owner, files), migrate(other, files)]);
  await other.end();
  expect(applied.flat().sort()).toEqual(files.map((file) => file.name));
});

test('the runtime role neither owns tables nor bypasses row-level security', async () => {
  const rows = await database.owner<{ rolsuper: boolean; rolbypassrls: boolean }[]>`
    select rolsuper, rolbypassrls from pg_roles where rolname like 'hub\\_%' and rolname <> 'hub_owner'`;
  expect(rows.length).toBeGreaterThanOrEqual(4);
  for (const row of rows) expect(row).toMatchObject({ rolsuper: false, rolbypassrls: false });
  const owned = await database.owner`
    select c.relname from pg_class c join pg_roles r on r.oid = c.relowner
    where r.rolname in ('hub_runtime', 'hub_system', 'hub_test_runtime', 'hub_test_system')`;
  expect(owned).toHaveLength(0);
});

test('every table with a company has row-level security switched on', async () => {
  const open = await database.owner<{ relname: string }[]>`
    select c.relname from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped
    where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace and not c.relrowsecurity`;
  expect(open.map((row) => row.relname)).toEqual([]);
});
