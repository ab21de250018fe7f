import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

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
