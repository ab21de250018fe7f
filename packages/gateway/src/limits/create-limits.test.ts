import { setTimeout as sleep } from 'node:timers/promises';
import { newId, ProblemError, type CompanyPrincipal, type PersonPrincipal } from '@impact-hub/core';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { admittedOf, limitedKey, openLimits, type OpenLimits } from './test-limits.ts';

let database: TestDatabase;
let store: TestRedis;
let open: OpenLimits;
let other: OpenLimits;
const changed = new Set<(key: string) => void>();
beforeAll(async () => {
  [database, store] = await Promise.all([createTestDatabase(), createTestRedis()]);
  const changes = {
    subscribe: (_topic: string, onChange: (key: string) => void) => void changed.add(onChange),
    isCurrent: () => true,
  };
  open = await openLimits(store.url, database.db.systemSql, { changes });
  other = await openLimits(store.url, database.db.systemSql, { changes });
});
afterAll(async () => {
  await Promise.all([open.close(), other.close()]);
  await Promise.all([database.drop(), store.close()]);
});

const windowOf = (key: ReturnType<typeof limitedKey>) => `hub:limit:{${key.companyId}}:key:${key.keyId}`;

/** Makes a window look as if all of it had happened earlier. */
const age = async (name: string, seconds: number): Promise<void> => {
  const fields = await store.redis.hgetall(name);
  const moved = Object.entries(fields).map(([field, value]) => {
    if (field === 'used') return [field, value];
    return /^\d+$/.test(field) ? [String(Number(field) - seconds), value] : [field, String(Number(value) - seconds)];
  });
  await store.redis.del(name);
  await store.redis.hset(name, Object.fromEntries(moved) as Record<string, string>);
};

const refusalOf = async (limits: OpenLimits, principal: CompanyPrincipal): Promise<ProblemError> => {
  const error: unknown = await limits.ask(principal).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ProblemError);
  return error as ProblemError;
};

const setCompanyLimit = async (companyId: string, limit: number): Promise<void> => {
  await database.owner`insert into company (id, name) values (${companyId}, 'C') on conflict do nothing`;
  await database.owner`
    insert into company_rate_limit (company_id, requests_per_minute, updated_at) values (${companyId}, ${limit}, now())
    on conflict (company_id) do update set requests_per_minute = excluded.requests_per_minute`;
  for (const tell of changed) tell(companyId);
};

it('admits exactly 60 of 200 requests at once, over two processes', async () => {
  const key = limitedKey(newId(), 60);
  const admitted = await Promise.all([admittedOf(open, key, 100), admittedOf(other, key, 100)]);
  expect(admitted[0] + admitted[1]).toBe(60);
});

it('says with every request what is left, in both notations', async () => {
  const key = limitedKey(newId(), 60);
  const all = await Promise.all(Array.from({ length: 60 }, () => open.ask(key)));
  expect(all.map((headers) => Number(headers['x-ratelimit-remaining']))).toEqual(
    Array.from({ length: 60 }, (_, index) => 59 - index),
  );
  const last = all.at(-1) ?? {};
  const nowSecond = Math.floor(Date.now() / 1_000);
  expect(last['x-ratelimit-limit']).toBe('60');
  expect(Number(last['x-ratelimit-reset']) - nowSecond).toBeGreaterThanOrEqual(59);
  expect(Number(last['x-ratelimit-reset']) - nowSecond).toBeLessThanOrEqual(62);
  expect(last['ratelimit-policy']).toBe('"key";q=60;w=69, "company";q=1200000;w=69');
  expect(last['ratelimit']).toMatch(/^"key";r=0;t=6[01], "company";r=11999\d\d;t=6[01]$/);
});

it('names the limit that was reached, and admits who has waited as long as it says', async () => {
  const key = limitedKey(newId(), 3);
  await admittedOf(open, key, 3);
  await age(windowOf(key), 59);
  await sleep(5);
  const refusal = await refusalOf(other, key);
  expect(refusal.definition).toMatchObject({ code: 'rate_limit.exceeded', status: 429 });
  expect(refusal.options.members).toEqual({ 'violated-policies': ['key'] });
  expect(refusal.options.detail).toBe('Requests per minute: the limit of 3 of this API key is reached.');
  const seconds = Number(refusal.options.headers?.['retry-after']);
  expect([1, 2, 3]).toContain(seconds);
  await sleep(seconds * 1_000);
  expect(await admittedOf(other, key, 4)).toBe(3);
});

it('asks Redis nothing for a caller who has just been refused', async () => {
  // A clock that stands still: what was refused a second ago may be asked for again.
  const halted = await openLimits(store.url, database.db.systemSql, { nowMs: () => 5_000 });
  const key = limitedKey(newId(), 2);
  await admittedOf(halted, key, 3);
  const callsOf = async () =>
    (await halted.metrics.getSingleMetricAsString('rate_limit_redis_seconds')).match(/_count (\d+)/)?.[1];
  const before = await callsOf();
  expect(await admittedOf(halted, key, 50)).toBe(0);
  expect(await callsOf()).toBe(before);
  expect(await halted.metrics.getSingleMetricAsString('api_keys_rate_limit_exceeded_total')).toContain('limit="key"');
  await halted.close();
});

it('gives back what was taken ahead and not used', async () => {
  const key = limitedKey(newId(), 100_000);
  let admitted = 0;
  for (let round = 0; round < 40; round += 1) {
    admitted += await admittedOf(open, key, 50);
    await sleep(1);
  }
  expect(await open.metrics.getSingleMetricAsString('rate_limit_leased_total')).not.toMatch(/ 0$/m);
  await vi.waitFor(async () => expect(Number(await store.redis.hget(windowOf(key), 'used'))).toBe(admitted), 5_000);
  expect(Number(await store.redis.hget(`hub:limit:{${key.companyId}}`, 'used'))).toBe(admitted);
});

it('lets two keys share the limit of their company, and follows when it is changed', async () => {
  const companyId = newId();
  await setCompanyLimit(companyId, 10);
  const [one, two] = [limitedKey(companyId, 60), limitedKey(companyId, 60)];
  expect((await admittedOf(open, one, 8)) + (await admittedOf(other, two, 8))).toBe(10);
  const refusal = await refusalOf(open, one);
  expect(refusal.options.members).toEqual({ 'violated-policies': ['company'] });
  // The refused requests took nothing from the keys.
  expect(Number(await store.redis.hget(windowOf(two), 'used'))).toBe(2);
  await setCompanyLimit(companyId, 15);
  await vi.waitFor(async () => expect(await open.ask(one)).toMatchObject({ 'x-ratelimit-limit': '15' }), 3_000);
});

it('follows a changed limit of a key', async () => {
  const key = limitedKey(newId(), 2);
  expect(await admittedOf(open, key, 3)).toBe(2);
  expect(await admittedOf(open, { ...key, rateLimitPerMinute: 4 }, 9)).toBe(2);
});

it('limits a signed-in person as a person, whatever the session', async () => {
  const person = (sessionId: string): PersonPrincipal => ({
    kind: 'person',
    personId: 'p',
    email: 'p@example.org',
    sessionId,
    role: 'viewer',
    companyId,
    scopes: new Set(),
  });
  const companyId = newId();
  const sum = (await admittedOf(open, person('one'), 700)) + (await admittedOf(other, person('two'), 700));
  expect(sum).toBe(1_200);
  expect((await refusalOf(open, person('three'))).options.members).toEqual({ 'violated-policies': ['person'] });
});
