import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { getTableConfig, type PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from './tables.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const declared = tables;

describe('tables', () => {
  it.each(Object.values(declared).map((table: PgTable) => getTableConfig(table)))(
    'declares $name exactly as the migration made it',
    async ({ name, columns }) => {
      const migrated = await database.owner<{ column: string; type: string; notNull: boolean }[]>`
        select attname as column, format_type(atttypid, null) as type, attnotnull as "notNull"
        from pg_attribute where attrelid = ${name}::regclass and attnum > 0 and not attisdropped`;
      const inCode = columns.map((column) => ({
        column: column.name,
        type: column.getSQLType(),
        notNull: column.notNull,
      }));
      const byName = (a: { column: string }, b: { column: string }) => (a.column < b.column ? -1 : 1);
      expect(inCode.sort(byName)).toEqual([...migrated].sort(byName));
    },
  );
});
