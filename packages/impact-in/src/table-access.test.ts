import { newId } from '@impact-hub/core';
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

test('the system role sees no reasons of confirmations, and removes no items of replays that go on', async () => {
  const { owner, db } = database;
  await expect(db.systemSql`select reason from impact_in_confirmation`).rejects.toThrow('permission denied');
  const [going, ended] = [newId(), newId()];
  for (const id of [going, ended]) {
    const finishedAt = id === ended ? new Date() : null;
    await owner`
      insert into impact_in_replay (id, company_id, kind, state, include_succeeded, rate_per_second, actor_kind,
        actor_id, request_id, snapshot_at, created_at, updated_at, finished_at)
      values (${id}, ${newId()}, 'window', ${id === ended ? 'done' : 'paused'}, false, 1, 'system', 'test', 'r', now(),
        now(), now(), ${finishedAt})`;
    await owner`
      insert into impact_in_replay_item (replay_id, delivery_id, company_id) values (${id}, ${newId()}, ${newId()})`;
  }
  await db.systemSql`delete from impact_in_replay_item where replay_id = any(${[going, ended]}::uuid[])`;
  const left = await owner<{ id: string }[]>`select replay_id as id from impact_in_replay_item`;
  expect(left.map(({ id }) => id)).toEqual([going]);
});
