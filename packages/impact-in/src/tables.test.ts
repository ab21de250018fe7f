import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as tables from './tables.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const declared = Object.values(tables).filter((value) => is(value, PgTable));

test.each(declared.map((table) => getTableConfig(table)))(
  'table $name is declared as the migration made it',
  async ({ name, columns }) => {
    const migrated = await database.owner<{ column: string; type: string; notNull: boolean }[]>`
    select attname as column, format_type(atttypid, null) as type, attnotnull as "notNull"
    from pg_attribute where attrelid = ${name}::regclass and attnum > 0 and not attisdropped order by attname`;
    const inCode = columns.map((column) => ({
      column: column.name,
      type: column.getSQLType(),
      notNull: column.notNull,
    }));
    expect(inCode.sort((a, b) => (a.column < b.column ? -1 : 1))).toEqual([...migrated]);
  },
);

test('no table or partition with a company is without row-level security', async () => {
  const open = await database.owner`
    select relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'company_id'
    where relname like 'impact_in%' and relkind in ('r', 'p') and not relrowsecurity`;
  expect([...open]).toEqual([]);
});

test('the system role can add receipts, but neither read nor change them', async () => {
  const { systemSql } = database.db;
  await expect(systemSql`select 1 from impact_in_receipt`).rejects.toThrow('permission denied');
  await expect(systemSql`update impact_in_receipt set reason = 'x'`).rejects.toThrow('permission denied');
  await expect(systemSql`delete from impact_in_dedupe`).rejects.toThrow('permission denied');
  await expect(systemSql`update impact_in_endpoint_secret set ciphertext = 'x'`).rejects.toThrow('permission denied');
});
