import type { Tx } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { selectApiKeys } from '../repository.ts';
import { insertCompany, makeKey } from '../test-company.ts';
import { readHygiene } from './read-hygiene.ts';
import { readStats } from './read-stats.ts';

let database: TestDatabase;
let companyId: string;
/** Enough that reading them all is what the planner would do without an index. */
const keysOfOthers = 20_000;
const now = new Date();

beforeAll(async () => {
  database = await createTestDatabase();
  const other = await insertCompany(database.owner);
  companyId = await insertCompany(database.owner);
  await database.owner`
    with made as (
      insert into api_key (id, company_id, key_id, name, environment, scopes, created_by, created_at, updated_at)
      select gen_random_uuid(), ${other}, lpad(number::text, 12, '0'), 'k', 'live', '{admin}', 'system:test', now(), now()
      from generate_series(1, ${keysOfOthers}::integer) as number
      returning id, company_id
    ), secrets as (
      insert into api_key_secret (id, api_key_id, company_id, key_sha256, created_at, generation)
      select gen_random_uuid(), id, company_id, sha256((id::text || generation)::bytea), now(), generation
      from made cross join generate_series(1, 2) as generation
    ), hours as (
      insert into api_key_usage_hour (api_key_id, hour, company_id, calls, client_errors, server_errors, rate_limited)
      select id, date_trunc('hour', now()), company_id, 1, 0, 0, 0 from made
    )
    insert into api_key_usage (api_key_id, company_id) select id, company_id from made`;
  for (let key = 0; key < 3; key += 1) await makeKey(database.db, companyId);
  await database.owner.unsafe('analyze api_key, api_key_secret, api_key_usage, api_key_usage_hour');
});
afterAll(() => database.drop());

/** Rows that the connection has read so far of the tables of keys, whether by a scan or through an index. */
const rowsRead = async (tx: Tx): Promise<Record<string, number>> => {
  const rows = await tx.sql<{ table: string; read: number }[]>`
    select relname as table, (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as read
    from pg_stat_xact_user_tables where relname like 'api_key%' order by 1`;
  return Object.fromEntries(rows.map(({ table, read }) => [table, read]));
};

it.each([
  ['stats', (tx: Tx) => readStats(tx, {}, now)],
  ['hygiene', (tx: Tx) => readHygiene(tx, now)],
  [
    'the list',
    (tx: Tx) =>
      selectApiKeys(tx, { limit: 50, cursor: undefined, environment: undefined, status: 'active' as const, now }),
  ],
])('%s of a small company read its own keys, however many others have', async (_what, read) => {
  const counted = await database.db.company(companyId, async (tx) => {
    const before = await rowsRead(tx);
    await read(tx);
    const after = await rowsRead(tx);
    return Object.entries(after).map(([table, rows]) => ({ table, rows: rows - (before[table] ?? 0) }));
  });
  expect(counted.find(({ table }) => table === 'api_key')?.rows).toBeGreaterThanOrEqual(3);
  for (const { table, rows } of counted) expect(rows, table).toBeLessThan(100);
});
