import { connectSql, createMetrics, newId, type MetricsRegistry } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openInbox } from './open-inbox.ts';
import { createRepeatCap } from './repeat-cap.ts';
import { storeReceipts } from './store-receipts.ts';
import { receiptRow } from './test-receipts.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const newPlace = () => ({ companyId: newId(), endpointId: newId() });
const storedOf = async (endpointId: string) =>
  database.owner<{ id: string; outcome: string }[]>`
    select id, outcome from impact_in_receipt where endpoint_id = ${endpointId} order by received_at, id`;
const jobsOf = async (companyId: string): Promise<number> =>
  (await database.owner`select 1 from job where company_id = ${companyId}`).length;

describe('a request that is sent again and again', () => {
  test('is answered as a duplicate of the committed receipt each time, and leaves only a few rows', async () => {
    const sql = connectSql(database.systemUrl, { maxConnections: 6, applicationName: 'test-ingest' });
    const registry: MetricsRegistry = createMetrics();
    const inbox = await openInbox({ sql, registry, onError: () => undefined });
    const place = newPlace();
    const first = await inbox.submit(receiptRow(place, { id: 'captured' }));
    const answers = await Promise.all(
      Array.from({ length: 3_000 }, () => inbox.submit(receiptRow(place, { id: 'captured' }))),
    );
    for (const answer of answers) expect(answer).toEqual({ kind: 'duplicate', receiptId: first.receiptId });
    const stored = await storedOf(place.endpointId);
    // Two commits are in flight, and neither knows what the other is about to store.
    expect(stored.length).toBeGreaterThanOrEqual(6);
    expect(stored.length).toBeLessThanOrEqual(11);
    expect(await registry.metrics()).toContain(`impact_in_repeats_not_stored_total ${3_001 - stored.length}`);
    await inbox.stop();
    await sql.end();
  });

  test('is stored no further as a conflict either, and answered with the conflict that is', async () => {
    const repeats = createRepeatCap({ nowMs: () => 0, onNotStored: () => undefined });
    const place = newPlace();
    const store = () => storeReceipts(database.db.systemSql, [receiptRow(place, { id: 'x', body: 'other' })], repeats);
    const [original] = await storeReceipts(database.db.systemSql, [receiptRow(place, { id: 'x', body: 'one' })]);
    const answers = [];
    for (let n = 0; n < 20; n += 1) answers.push((await store())[0]);
    const stored = (await storedOf(place.endpointId)).map(({ id }) => id);
    expect(stored).toHaveLength(6);
    expect(await jobsOf(place.companyId)).toBe(6);
    for (const answer of answers) {
      expect(answer).toMatchObject({ kind: 'conflict', originalId: original?.receiptId });
      expect(stored).toContain(answer?.receiptId);
    }
  });

  test('many conflicts alike in one batch are each answered with a stored one', async () => {
    const repeats = createRepeatCap({ nowMs: () => 0, onNotStored: () => undefined });
    const place = newPlace();
    await storeReceipts(database.db.systemSql, [receiptRow(place, { id: 'x', body: 'one' })]);
    const rows = Array.from({ length: 50 }, () => receiptRow(place, { id: 'x', body: 'other' }));
    const answers = await storeReceipts(database.db.systemSql, rows, repeats);
    const stored = (await storedOf(place.endpointId)).map(({ id }) => id);
    expect(stored).toHaveLength(6);
    for (const answer of answers) expect(stored).toContain(answer.receiptId);
  });

  test('is stored a few times again an hour later', async () => {
    let nowMs = 0;
    const repeats = createRepeatCap({ nowMs: () => nowMs, onNotStored: () => undefined });
    const place = newPlace();
    for (const atMs of [0, 3_599_000, 3_600_000]) {
      nowMs = atMs;
      const rows = Array.from({ length: 20 }, () => receiptRow(place, { id: 'later' }));
      await storeReceipts(database.db.systemSql, rows, repeats);
    }
    expect(await storedOf(place.endpointId)).toHaveLength(11);
  });
});
