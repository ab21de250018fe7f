import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbeddedClickHouse } from './open-embedded-clickhouse.ts';

test('rows inserted through the ClickHouse client are still there when the directory is opened again', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'clickhouse-test-'));
  const first = await openEmbeddedClickHouse({ dataDir });
  await first.client.command({ query: 'CREATE DATABASE hub ENGINE = Atomic' });
  await first.client.command({
    query:
      'CREATE TABLE hub.events (id UInt64, at DateTime64(3), amount Decimal(18, 2)) ENGINE = MergeTree ORDER BY id',
  });
  await first.client.insert({
    table: 'hub.events',
    values: [{ id: '18446744073709551615', at: '2026-01-02 03:04:05.678', amount: '12.30' }],
    format: 'JSONEachRow',
  });
  await first.close();
  await first.close();

  const second = await openEmbeddedClickHouse({ dataDir });
  const rows = await second.client.query({
    query:
      'SELECT toString(id) id, toString(at) at, toString(amount) total FROM hub.events WHERE amount > {least:Decimal(18,2)}',
    query_params: { least: 10 },
    format: 'JSONEachRow',
  });
  expect(await rows.json()).toEqual([{ id: '18446744073709551615', at: '2026-01-02 03:04:05.678', total: '12.3' }]);
  await second.close();
  await rm(dataDir, { recursive: true });
});
