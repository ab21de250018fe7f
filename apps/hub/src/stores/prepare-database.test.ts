import { randomBytes } from 'node:crypto';
import { connectSql, newId } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadSettings } from '../config/load-settings.ts';
import { prepareDatabase } from './prepare-database.ts';

const rootKey = randomBytes(32);
let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const prepare = (environment: Record<string, string>) => {
  const settings = loadSettings(environment);
  return prepareDatabase(settings, settings.DATABASE_URL, rootKey, () => undefined);
};
const logins = () => ({ HUB_DATABASE_RUNTIME_URL: database.runtimeUrl, HUB_DATABASE_SYSTEM_URL: database.systemUrl });

test('the owner gets two logins made whose passwords every process with the root key knows', async () => {
  const first = await prepare({ DATABASE_URL: database.ownerUrl });
  expect(await prepare({ DATABASE_URL: database.ownerUrl })).toEqual(first);
  expect(new URL(first.runtimeUrl).username).toBe(`hub_runtime_${database.name}`);
});

test('a wrong root key is refused before it changes the passwords of the logins', async () => {
  const { runtimeUrl } = await prepare({ DATABASE_URL: database.ownerUrl });
  await database.owner`
    insert into crypto_key (kid, company_id, purpose, version, wrapped, root_key_id)
    values (${newId()}, ${newId()}, 'test', 1, ${Buffer.alloc(72)}, 'another root key')`;
  await expect(prepare({ DATABASE_URL: database.ownerUrl })).rejects.toThrow('The root key is not the one');
  await database.owner`delete from crypto_key`;
  const runtime = connectSql(runtimeUrl, { maxConnections: 1, applicationName: 'test' });
  expect(await runtime`select 1 as n`).toEqual([{ n: 1 }]);
  await runtime.end();
});

test('a process with only the two logins starts on a migrated database', async () => {
  await prepare({ DATABASE_URL: database.ownerUrl });
  expect(await prepare(logins())).toEqual({ runtimeUrl: database.runtimeUrl, systemUrl: database.systemUrl });
});

test('and is told to migrate first when the schema is behind', async () => {
  await database.owner`delete from hub_migration where name like '0006%'`;
  await expect(prepare(logins())).rejects.toThrow('The database lacks 1 migrations; run "hub migrate"');
});

test.each([
  [
    'a wrong password',
    (url: URL) => void (url.password = 'wrong'),
    /refused the user name or password in DATABASE_URL/,
  ],
  [
    'a missing database',
    (url: URL) => void (url.pathname = '/nowhere'),
    /DATABASE_URL does not exist; create it first/,
  ],
  [
    'a wrong port',
    (url: URL) => void (url.port = '1'),
    /PostgreSQL does not answer at 127\.0\.0\.1:1; start it or correct/,
  ],
])('%s in DATABASE_URL is told in one sentence', async (_what, change, sentence) => {
  const url = new URL(database.ownerUrl);
  change(url);
  await expect(prepare({ DATABASE_URL: url.href })).rejects.toThrow(sentence);
});
