import { newId } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertCompany } from '../test-company.ts';
import { removeOldUsage } from './remove-old-usage.ts';

let database: TestDatabase;
const now = new Date('2026-06-15T12:30:00Z');
const daysAgo = (days: number): Date => new Date(now.getTime() - days * 86_400_000);

/** Of each table: rows past their time and one within it. */
const seed = async (old: number) => {
  const { owner } = database;
  const companyId = await insertCompany(owner);
  const rows = async (at: Date, count: number): Promise<void> => {
    const keyId = newId();
    await owner`
      insert into api_key_usage_hour (api_key_id, hour, company_id, calls, client_errors, server_errors, rate_limited)
      select gen_random_uuid(), ${at}, ${companyId}, 1, 0, 0, 0 from generate_series(1, ${count}::integer)`;
    await owner`
      insert into api_key_network (api_key_id, network, company_id, first_seen_at, last_seen_at, calls,
        minute_started_at, minute_calls, peak_calls)
      select ${keyId}, number::text, ${companyId}, ${at}, ${at}, 1, ${at}, 1, 1
      from generate_series(1, ${count}::integer) as number`;
    await owner`
      insert into api_key_reminder (api_key_id, reason, step, company_id, at)
      select ${keyId}, 'idle', number::text, ${companyId}, ${at} from generate_series(1, ${count}::integer) as number`;
    await owner`
      insert into api_key_usage_writer (id, batch, applied_at)
      select gen_random_uuid(), 1, ${at} from generate_series(1, ${count}::integer)`;
  };
  await rows(daysAgo(401), old);
  await rows(daysAgo(6), 1);
};
const left = async () => {
  const [counts] = await database.owner<Record<string, number>[]>`
    select (select count(*)::int from api_key_usage_hour) as hours, (select count(*)::int from api_key_network) as networks,
           (select count(*)::int from api_key_reminder) as reminders, (select count(*)::int from api_key_usage_writer) as writers`;
  return counts;
};

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

it('removes what is past its time, more than a batch of it, and keeps the rest', async () => {
  await seed(2_500);
  await removeOldUsage(database.db.systemSql, now);
  expect(await left()).toEqual({ hours: 1, networks: 1, reminders: 1, writers: 1 });
});

it('clears the other tables when one cannot be cleared, and says which', async () => {
  await seed(3);
  await database.owner`revoke delete on api_key_usage_hour from hub_system`;
  await expect(removeOldUsage(database.db.systemSql, now)).rejects.toThrow(/from api_key_usage_hour$/);
  expect(await left()).toEqual({ hours: 4, networks: 1, reminders: 1, writers: 1 });
});

it('stops between batches when asked to', async () => {
  await seed(3);
  await removeOldUsage(database.db.systemSql, now, AbortSignal.abort());
  expect(await left()).toEqual({ hours: 4, networks: 4, reminders: 4, writers: 4 });
});
