import { newId, connectSql, createMetrics } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openInbox, type Inbox } from './open-inbox.ts';
import { createReceiptDays } from './receipt-days.ts';
import type { AuthenticReceiptRow, StoredReceipt } from './receipt-row.ts';
import { storeReceipts } from './store-receipts.ts';
import { receiptRow } from './test-receipts.ts';

let database: TestDatabase;
const errors: unknown[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** One process's inbox: a pool of its own. */
const inboxOfProcess = async (): Promise<Inbox & { end(): Promise<void> }> => {
  const sql = connectSql(database.systemUrl, { maxConnections: 6, applicationName: 'test-ingest' });
  const inbox = await openInbox({ sql, registry: createMetrics(), onError: (error) => errors.push(error) });
  return {
    ...inbox,
    end: async () => {
      await inbox.stop();
      await sql.end();
    },
  };
};
const newPlace = () => ({ companyId: newId(), endpointId: newId() });
const count = async (table: string, endpointId: string): Promise<number> =>
  Number(
    (await database.owner.unsafe(`select count(*) from ${table} where endpoint_id = $1`, [endpointId]))[0]?.['count'],
  );
const outcomes = async (endpointId: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    (
      await database.owner<{ outcome: string; n: number }[]>`
      select outcome, count(*)::int as n from impact_in_receipt where endpoint_id = ${endpointId} group by outcome`
    ).map((row) => [row.outcome, row.n]),
  );

describe('group commit on Postgres', () => {
  test('thousands of concurrent receipts are each stored exactly once, in few commits', async () => {
    const inbox = await inboxOfProcess();
    const place = newPlace();
    const rows = Array.from({ length: 3_000 }, () => receiptRow(place));
    const stored = await Promise.all(rows.map((row) => inbox.submit(row)));
    expect(stored).toEqual(rows.map((row) => ({ kind: 'new', receiptId: row.id })));
    expect(await count('impact_in_receipt', place.endpointId)).toBe(3_000);
    expect(await count('impact_in_dedupe', place.endpointId)).toBe(3_000);
    const jobs = await database.owner`select distinct queue from job where company_id = ${place.companyId}`;
    expect([...jobs]).toEqual([{ queue: 'impact-in.process-receipt' }]);
    await inbox.end();
  });

  test('one event many times within a batch is new once; the first to arrive wins', async () => {
    const place = newPlace();
    const rows = Array.from({ length: 50 }, () => receiptRow(place, { id: 'same' }));
    const stored = await storeReceipts(database.db.systemSql, rows);
    expect(stored[0]).toEqual({ kind: 'new', receiptId: rows[0]?.id });
    for (const other of stored.slice(1)) expect(other).toEqual({ kind: 'duplicate', receiptId: rows[0]?.id });
    expect(await outcomes(place.endpointId)).toEqual({ accepted: 1, duplicate: 49 });
  });

  test('two processes that overlap in opposite orders neither deadlock nor store an event twice', async () => {
    errors.length = 0;
    const inboxes = [await inboxOfProcess(), await inboxOfProcess()];
    const place = newPlace();
    const ids = Array.from({ length: 400 }, (_, n) => `event ${n}`);
    const all: Promise<StoredReceipt>[] = [];
    for (let round = 0; round < 4; round += 1)
      inboxes.forEach((inbox, which) => {
        const order = which === 0 ? ids : ids.toReversed();
        for (const id of order) all.push(inbox.submit(receiptRow(place, { id })));
      });
    const stored = await Promise.all(all);
    expect(stored.filter(({ kind }) => kind === 'new')).toHaveLength(400);
    expect(stored.filter(({ kind }) => kind === 'duplicate')).toHaveLength(2_800);
    expect(await outcomes(place.endpointId)).toEqual({ accepted: 400, duplicate: 2_800 });
    expect(errors).toEqual([]);
    await Promise.all(inboxes.map((inbox) => inbox.end()));
  });

  test('a value the database refuses fails its own row and none of 255 neighbours', async () => {
    errors.length = 0;
    const inbox = await inboxOfProcess();
    const place = newPlace();
    const rows = Array.from({ length: 256 }, (_, n) => receiptRow(place, {}, n === 100 ? { eventType: 'a\0b' } : {}));
    const stored = await Promise.allSettled(rows.map((row) => inbox.submit(row)));
    const failed = stored.flatMap((result, n) =>
      result.status === 'rejected' ? [{ n, name: (result.reason as Error).name }] : [],
    );
    expect(failed).toEqual([{ n: 100, name: 'UnstorableRow' }]);
    expect(await count('impact_in_receipt', place.endpointId)).toBe(255);
    await inbox.end();
  });

  test('one event id with two bodies in one batch is one receipt and one conflict', async () => {
    const place = newPlace();
    const rows = [receiptRow(place, { id: 'x', body: 'one' }), receiptRow(place, { id: 'x', body: 'two' })];
    const [first, second] = await storeReceipts(database.db.systemSql, rows);
    expect(first).toEqual({ kind: 'new', receiptId: rows[0]?.id });
    expect(second).toEqual({ kind: 'conflict', receiptId: rows[1]?.id, originalId: rows[0]?.id });
    const kept =
      await database.owner`select sealed, original_id from impact_in_receipt where id = ${rows[1]?.id ?? ''}`;
    expect(kept).toMatchObject([{ sealed: rows[1]?.sealed, original_id: rows[0]?.id }]);
  });

  test('the same event id at two endpoints is two events', async () => {
    const [one, two] = [receiptRow(newPlace(), { id: 'shared' }), receiptRow(newPlace(), { id: 'shared' })];
    expect((await storeReceipts(database.db.systemSql, [one, two])).map(({ kind }) => kind)).toEqual(['new', 'new']);
  });

  test('storing rows again whose reply was lost says new again and adds nothing', async () => {
    const place = newPlace();
    const rows = [receiptRow(place), receiptRow(place, { id: 'twice' }), receiptRow(place, { id: 'twice' })];
    const first = await storeReceipts(database.db.systemSql, rows);
    expect(await storeReceipts(database.db.systemSql, rows)).toEqual(first);
    expect(await outcomes(place.endpointId)).toEqual({ accepted: 2, duplicate: 1 });
  });

  test('duplicate is only said of a committed event: while the first is in flight the second waits', async () => {
    const place = newPlace();
    const first: AuthenticReceiptRow = receiptRow(place, { id: 'in flight' });
    let answered = false;
    const rolledBack = database.owner.begin(async (sql) => {
      await sql`insert into impact_in_dedupe values (${place.endpointId}, ${first.dedupeKey}, ${place.companyId}, ${first.id}, ${first.bodySha256}, now())`;
      const second = storeReceipts(database.db.systemSql, [receiptRow(place, { id: 'in flight' })]).finally(
        () => (answered = true),
      );
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(answered).toBe(false);
      return { second };
    });
    await expect((await rolledBack).second).resolves.toMatchObject([{ kind: 'duplicate', receiptId: first.id }]);
  });
});

describe('receipt partitions', () => {
  test('the DEFAULT partition takes rows for which no day exists, and gives them up when the day is made', async () => {
    const place = newPlace();
    const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    await database.owner.unsafe(`drop table impact_in_receipt_${today}`);
    const [stored] = await storeReceipts(database.db.systemSql, [receiptRow(place)]);
    expect(stored?.kind).toBe('new');
    expect(await count('impact_in_receipt_default', place.endpointId)).toBe(1);
    expect(await createReceiptDays(database.db.systemSql)).toBe(1);
    expect(await count('impact_in_receipt_default', place.endpointId)).toBe(0);
    expect(await count('impact_in_receipt', place.endpointId)).toBe(1);
    expect(await createReceiptDays(database.db.systemSql)).toBe(0);
  });
});
