import { glob } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

const declared: [name: string, table: PgTable][] = [];
for await (const file of glob('packages/*/src/tables.ts', { cwd: root })) {
  const exported = (await import(`${root}${file}`)) as Record<string, unknown>;
  for (const value of Object.values(exported))
    if (is(value, PgTable)) declared.push([getTableConfig(value).name, value]);
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** PostgreSQL and Drizzle write the precision of a timestamp with and without a space. */
const normalised = (type: string): string => type.replace('timestamp (', 'timestamp(');

test('every domain with tables is looked at', () => {
  expect(declared.length).toBeGreaterThanOrEqual(12);
});

test.each(declared)('%s is declared exactly as the migrations made it', async (name, table) => {
  const migrated = await database.owner<{ name: string; type: string; notNull: boolean }[]>`
    select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as "notNull"
    from pg_attribute where attrelid = ${name}::regclass and attnum > 0 and not attisdropped order by attname`;
  const inCode = getTableConfig(table)
    .columns.map((column) => ({ name: column.name, type: normalised(column.getSQLType()), notNull: column.notNull }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(inCode).toEqual(migrated.map((column) => ({ ...column, type: normalised(column.type) })));
});
