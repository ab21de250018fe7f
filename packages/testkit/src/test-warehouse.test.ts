import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestWarehouse } from './test-warehouse.ts';

let warehouse: Awaited<ReturnType<typeof createTestWarehouse>>;
beforeAll(async () => {
  warehouse = await createTestWarehouse();
});
afterAll(() => warehouse.close());

test('tables, inserts and aggregates work as on a server, through the same client', async () => {
  const { client } = warehouse;
  await client.command({ query: 'CREATE TABLE t (id UInt32, at DateTime64(3)) ENGINE = MergeTree ORDER BY id' });
  await client.insert({
    table: 't',
    values: [
      { id: 1, at: '2026-01-01 00:00:00.000' },
      { id: 2, at: '2026-01-02 00:00:00.000' },
    ],
    format: 'JSONEachRow',
  });
  const answer = await client.query({
    query: 'SELECT toUInt32(count()) AS n, max(id) AS last FROM t',
    format: 'JSONEachRow',
  });
  expect(await answer.json()).toEqual([{ n: 2, last: 2 }]);
});
