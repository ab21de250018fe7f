import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { newId } from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Load, Outcome } from './test-limited-process.ts';

const program = fileURLToPath(new URL('./test-limited-process.ts', import.meta.url));

const limitedCompanyId = newId();
const key = (companyId: string, keyId: string, perMinute: number, atOnce: number) => ({
  companyId,
  keyId,
  perMinute,
  atOnce,
});
const load: Load = {
  keys: [
    key(newId(), 'strict', 60, 100),
    key(newId(), 'ahead', 12_000, 30),
    ...[400, 400, 60].map((perMinute, index) => key(limitedCompanyId, `shares ${index}`, perMinute, 10)),
  ],
  // Refusals are remembered for a second, and what was taken ahead is given back with the message after that.
  quietMs: 2_300,
};

let database: TestDatabase;
let store: TestRedis;
let outcomes: Outcome[];
/** Three processes under the same load; what they admit and refuse is looked at from three sides. */
beforeAll(async () => {
  [database, store] = await Promise.all([createTestDatabase(), createTestRedis()]);
  await database.owner`insert into company (id, name) values (${limitedCompanyId}, 'C')`;
  await database.owner`
    insert into company_rate_limit (company_id, requests_per_minute, updated_at) values (${limitedCompanyId}, 500, now())`;
  const children = Array.from({ length: 3 }, () =>
    fork(program, [store.url, database.systemUrl, JSON.stringify(load)], { execArgv: [] }),
  );
  await Promise.all(children.map((child) => once(child, 'message')));
  outcomes = await Promise.all(
    children.map(async (child) => {
      child.send('go');
      const [outcome] = (await once(child, 'message')) as [Outcome];
      await once(child, 'exit');
      return outcome;
    }),
  );
});
afterAll(async () => {
  await Promise.all([database.drop(), store.close()]);
});

const totalOf = (keyId: string): number => outcomes.reduce((sum, of) => sum + (of[keyId]?.admitted ?? 0), 0);

it('three processes admit exactly the limit of a key, and each its part of the refusals', () => {
  expect(totalOf('strict')).toBe(60);
  for (const { strict } of outcomes) expect(strict?.refused).toBeGreaterThan(0);
});

it('three processes that take tokens ahead admit exactly the limit too', () => {
  expect(totalOf('ahead')).toBe(12_000);
});

it('all keys of a company in all processes share its limit exactly', () => {
  const shares = load.keys.filter(({ companyId }) => companyId === limitedCompanyId);
  expect(shares.reduce((sum, { keyId }) => sum + totalOf(keyId), 0)).toBe(500);
  for (const { keyId, perMinute } of shares) expect(totalOf(keyId)).toBeLessThanOrEqual(perMinute);
});
