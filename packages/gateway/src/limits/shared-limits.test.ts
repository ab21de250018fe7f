import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { newId } from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Load, Outcome } from './test-limited-process.ts';

let database: TestDatabase;
let store: TestRedis;
beforeAll(async () => {
  [database, store] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterAll(async () => {
  await Promise.all([database.drop(), store.close()]);
});

const program = fileURLToPath(new URL('./test-limited-process.ts', import.meta.url));

/** Three processes under the same load. @returns what all of them together admitted per key */
const hammer = async (load: Load) => {
  const children = Array.from({ length: 3 }, () =>
    fork(program, [store.url, database.systemUrl, JSON.stringify(load)], { execArgv: [] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  const outcomes = await Promise.all(
    children.map(async (child) => {
      child.send('go');
      const [outcome] = (await once(child, 'message')) as [Outcome];
      await once(child, 'exit');
      return outcome;
    }),
  );
  const total = (keyId: string) => outcomes.reduce((sum, { admitted }) => sum + (admitted[keyId] ?? 0), 0);
  return { perKey: load.keys.map(([keyId]) => total(keyId)), outcomes };
};

it('three processes admit exactly the limit of a key, and each its part of the refusals', async () => {
  const load = { companyId: newId(), keys: [['strict', 60]], forMs: 1_000, atOnce: 200 } satisfies Load;
  const { perKey, outcomes } = await hammer({ ...load, keys: [['strict', 60]] });
  expect(perKey).toEqual([60]);
  for (const { refused } of outcomes) expect(refused).toBeGreaterThan(0);
});

it('three processes that take tokens ahead admit exactly the limit too', async () => {
  const { perKey } = await hammer({ companyId: newId(), keys: [['ahead', 30_000]], forMs: 4_500, atOnce: 50 });
  expect(perKey).toEqual([30_000]);
});

it('all keys of a company in all processes share its limit exactly', async () => {
  const companyId = newId();
  await database.owner`insert into company (id, name) values (${companyId}, 'C')`;
  await database.owner`
    insert into company_rate_limit (company_id, requests_per_minute, updated_at) values (${companyId}, 500, now())`;
  const keys: Load['keys'] = [
    ['one', 400],
    ['two', 400],
    ['three', 60],
  ];
  const { perKey } = await hammer({ companyId, keys, forMs: 3_500, atOnce: 30 });
  expect(perKey.reduce((sum, count) => sum + count, 0)).toBe(500);
  for (const [index, [, limit]] of keys.entries()) expect(perKey[index]).toBeLessThanOrEqual(limit);
});
