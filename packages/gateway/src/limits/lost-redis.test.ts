import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '@impact-hub/core';
import { createTestDatabase, startOwnRedis, type TestDatabase } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { admittedOf, limitedKey, openLimits, type OpenLimits } from './test-limits.ts';

let database: TestDatabase;
let server: Awaited<ReturnType<typeof startOwnRedis>>;
let opened: OpenLimits[];
let logged: Record<string, unknown>[];
beforeAll(async () => {
  [database, server] = await Promise.all([createTestDatabase(), startOwnRedis()]);
});
beforeEach(() => {
  opened = [];
  logged = [];
  return async () => {
    await Promise.all(opened.map((open) => open.close()));
  };
});
afterAll(async () => {
  await Promise.all([database.drop(), server.close()]);
});

const open = async (redisTimeoutMs = 5_000): Promise<OpenLimits> => {
  const limits = await openLimits(server.url, database.db.systemSql, {
    redisTimeoutMs,
    onLog: (line) => void logged.push(line),
  });
  opened.push(limits);
  return limits;
};

const figure = async (limits: OpenLimits, name: string): Promise<number> => {
  const metric = await limits.metrics.getSingleMetric(name)?.get();
  return metric?.values[0]?.value ?? Number.NaN;
};
const untilShared = (limits: OpenLimits) =>
  vi.waitFor(async () => expect(await figure(limits, 'rate_limit_degraded')).toBe(0), 5_000);
/** Waits until the process has heard how many there are. */
const untilCounted = (limits: OpenLimits, count: number) =>
  vi.waitFor(async () => expect(await figure(limits, 'rate_limit_processes')).toBe(count), 12_000);

it('serves on within a part of the limit while Redis is gone, and shares the limit again when it is back', async () => {
  const limits = await open();
  const key = limitedKey(newId(), 60);
  expect(await admittedOf(limits, key, 20)).toBe(20);
  await server.kill();
  // What was admitted before counts: 20 of 60.
  expect(await admittedOf(limits, key, 100)).toBe(40);
  expect(await figure(limits, 'rate_limit_degraded')).toBe(1);
  const refused = await limits.ask(key).catch((error: unknown) => error);
  expect(refused).toMatchObject({ options: { headers: { 'retry-after': expect.stringMatching(/^(60|61)$/) } } });
  expect(await admittedOf(limits, limitedKey(newId(), 60), 100)).toBe(60);
  await server.restart();
  await untilShared(limits);
  // The new Redis knows nothing but hears of the 40 admitted without it.
  await sleep(1_100);
  expect(await admittedOf(limits, key, 100)).toBe(20);
  expect(logged.filter(({ event }) => String(event).startsWith('rate_limit.')).map(({ event }) => event)).toEqual([
    'rate_limit.degraded',
    'rate_limit.recovered',
  ]);
});

it('divides the limit by the number of processes while Redis is gone', async () => {
  const [one, two] = [await open(), await open()];
  const companyId = newId();
  await Promise.all([one.ask(limitedKey(companyId, 60)), two.ask(limitedKey(companyId, 60))]);
  await untilCounted(two, 2);
  await untilCounted(one, 2);
  await server.kill();
  const key = limitedKey(companyId, 60);
  expect([await admittedOf(one, key, 100), await admittedOf(two, key, 100)]).toEqual([30, 30]);
  await server.restart();
});

it('keeps no request waiting for a Redis that hangs, after the first', async () => {
  const limits = await open(200);
  const key = limitedKey(newId(), 1_000);
  await limits.ask(key);
  server.freeze();
  try {
    const startedAtMs = performance.now();
    expect(await admittedOf(limits, key, 50)).toBe(50);
    const waitedMs = performance.now() - startedAtMs;
    expect(waitedMs).toBeGreaterThanOrEqual(200);
    expect(await figure(limits, 'rate_limit_degraded')).toBe(1);
    // From here on nothing is asked: the answer is there without a promise.
    const stub = { header: () => stub };
    expect(limits.limits.limit({} as never, stub as never, key, {} as never)).toBeUndefined();
    expect(limits.limits.limit({} as never, stub as never, limitedKey(newId(), 5), {} as never)).toBeUndefined();
  } finally {
    server.thaw();
  }
  await untilShared(limits);
  expect(await admittedOf(limits, key, 10)).toBe(10);
});

it('goes on when Redis is emptied and its scripts are gone', async () => {
  const limits = await open();
  const redis = new Redis(server.url);
  const key = limitedKey(newId(), 100_000);
  await admittedOf(limits, key, 1_000);
  await redis.flushall();
  await redis.script('FLUSH');
  expect(await admittedOf(limits, key, 1_000)).toBe(1_000);
  await sleep(2_100);
  expect(await admittedOf(limits, key, 10)).toBe(10);
  expect(await figure(limits, 'rate_limit_degraded')).toBe(0);
  await redis.quit();
});
