import { systemClock } from '@impact-hub/core';
import { createTestDatabase, type TestDatabase } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addNewScopes } from './add-new-scopes.ts';
import { hubItself, insertCompany, makeKey, testCatalogue } from './test-company.ts';

let database: TestDatabase;
let companyId: string;
beforeAll(async () => {
  database = await createTestDatabase();
  companyId = await insertCompany(database.owner);
});
afterAll(() => database.drop());

const scopeCatalogue = { ...testCatalogue, 'later:read': 'Came with a release.' };
const all = Object.keys(scopeCatalogue).sort();
const extend = (key: string, actor = hubItself.actor) =>
  database.db.company(companyId, (tx) => addNewScopes(tx, { clock: systemClock, scopeCatalogue }, actor, key));
const traceOf = async (keyId: string) => {
  const [row] = await database.owner<{ scopes: string[]; events: number; changes: number }[]>`
    select scopes, (select count(*)::int from audit_event where type = 'api_key.changed' and resource_id = key_id) as events,
           (select count(*)::int from hub_change where topic = 'api_key' and key = key_id) as changes
    from api_key where key_id = ${keyId}`;
  return row;
};

it('gives a key that the hub made the scopes that came later, once, on record and announced', async () => {
  const { key, keyId } = await makeKey(database.db, companyId, { scopes: Object.keys(testCatalogue) });
  expect(await extend(key)).toBe(true);
  expect(await traceOf(keyId)).toEqual({ scopes: all, events: 1, changes: 2 });
  expect(await extend(key)).toBe(false);
  expect(await traceOf(keyId)).toEqual({ scopes: all, events: 1, changes: 2 });
});

it('leaves a key alone that somebody else made, or that is disabled, revoked or gone', async () => {
  const { key, keyId } = await makeKey(database.db, companyId);
  expect(await extend(key, { kind: 'system', id: 'other' })).toBe(false);
  await database.owner`update api_key set enabled = false where key_id = ${keyId}`;
  expect(await extend(key)).toBe(false);
  await database.owner`update api_key set enabled = true, revoked_at = now() where key_id = ${keyId}`;
  expect(await extend(key)).toBe(false);
  expect(await traceOf(keyId)).toMatchObject({ scopes: ['data:read'], events: 0 });
  expect(await extend(`teei_live_${'0'.repeat(61)}`)).toBe(false);
});
