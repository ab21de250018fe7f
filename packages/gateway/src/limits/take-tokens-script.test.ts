import { createTestRedis, type TestRedis } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSlidingWindow } from './sliding-window.ts';
import { readTaken, slotSeconds, takeTokensLua, windowSeconds } from './take-tokens-script.ts';

/** The script with its clock handed in as two further arguments; nothing else differs from what the hub runs. */
const controlledLua = takeTokensLua.replace("redis.call('TIME')", '{ ARGV[7], ARGV[8] }');

let store: TestRedis;
let runs = 0;
beforeAll(async () => {
  if (controlledLua.includes("'TIME'")) throw new Error('the script reads a clock that the test does not control');
  store = await createTestRedis();
});
afterAll(() => store.close());

const openWindows = () => {
  runs += 1;
  const keys = [1, 2].map((key) => `w:{${runs}}:${key}`);
  return {
    keys,
    take: async (
      nowMs: number,
      call: { wanted: number; limits: readonly [number, number]; owed?: number; unused?: [number, number] },
    ) =>
      readTaken(
        (await store.redis.eval(
          controlledLua,
          2,
          ...keys,
          call.wanted,
          ...(call.unused ?? [0, 0]),
          call.owed ?? 0,
          ...call.limits,
          Math.floor(nowMs / 1_000),
          (nowMs % 1_000) * 1_000,
        )) as number[],
      ),
  };
};

const startMs = 1_800_000_000_250;
const step = fc.record({
  afterMs: fc.oneof(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 0, max: 70_000 })),
  wanted: fc.integer({ min: 0, max: 12 }),
  owed: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, fc.integer({ min: 0, max: 4 })),
  unused: fc.integer({ min: 0, max: 12 }),
});

it('grants exactly what a list of all requests of the last 61 seconds leaves, and says when more is free', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })),
      fc.array(step, { maxLength: 30 }),
      async (limits, steps) => {
        const windows = openWindows();
        // The reference: the second of every token that counts. Both windows see the same requests here.
        let tokens: number[] = [];
        let last: { second: number; granted: number } | undefined;
        let nowMs = startMs;
        for (const { afterMs, wanted, owed, unused } of steps) {
          nowMs += afterMs;
          const now = Math.floor(nowMs / 1_000);
          const back = last === undefined ? 0 : Math.min(unused, last.granted);
          for (let count = 0; count < back; count += 1) {
            const index = tokens.indexOf(last?.second ?? 0);
            if (index >= 0) tokens.splice(index, 1);
          }
          const taken = await windows.take(nowMs, { wanted, owed, limits, unused: [last?.second ?? 0, back] });
          tokens = tokens.filter((second) => second > now - slotSeconds);
          const limit = Math.min(...limits);
          const granted = Math.max(0, Math.min(wanted, limit - tokens.length - owed));
          tokens.push(...Array.from({ length: granted + owed }, () => now));
          expect(taken).toMatchObject({ granted, second: now, leftMs: 1_000 - (nowMs % 1_000), used: tokens.length });
          expect(taken.companyUsed).toBe(tokens.length);
          if (granted < wanted && tokens.length >= limits[0])
            expect(taken.freeSecond).toBe((tokens[tokens.length - limits[0]] ?? 0) + slotSeconds);
          else if (tokens.length > 0) expect(taken.freeSecond).toBe((tokens[0] ?? 0) + slotSeconds);
          last = { second: now, granted };
        }
      },
    ),
    { numRuns: 150 },
  );
});

it('never admits more than the limit in any 60 seconds, whatever the times', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 5 })), { maxLength: 40 }),
      async (limit, requests) => {
        const windows = openWindows();
        const admittedAtMs: number[] = [];
        let nowMs = startMs;
        for (const [afterMs, wanted] of requests) {
          nowMs += afterMs;
          const { granted } = await windows.take(nowMs, { wanted, limits: [limit, 1_000] });
          admittedAtMs.push(...Array.from({ length: granted }, () => nowMs));
        }
        for (const from of admittedAtMs)
          expect(
            admittedAtMs.filter((at) => at >= from && at <= from + windowSeconds * 1_000).length,
          ).toBeLessThanOrEqual(limit);
      },
    ),
    { numRuns: 60 },
  );
});

it('takes from neither window when one of them has nothing left', async () => {
  const windows = openWindows();
  await windows.take(startMs, { wanted: 3, limits: [10, 3] });
  expect(await windows.take(startMs, { wanted: 1, limits: [10, 3] })).toMatchObject({ granted: 0, used: 3 });
});

it('holds on while the clock steps back a little, and starts afresh when it jumps', async () => {
  const windows = openWindows();
  await windows.take(startMs, { wanted: 2, limits: [2, 9] });
  expect(await windows.take(startMs - 5_000, { wanted: 1, limits: [2, 9] })).toMatchObject({ granted: 0, leftMs: 0 });
  expect(await windows.take(startMs - 3_600_000, { wanted: 1, limits: [2, 9] })).toMatchObject({ granted: 1 });
});

it('lets Redis forget a window that nobody uses', async () => {
  const windows = openWindows();
  await windows.take(startMs, { wanted: 1, limits: [2, 9] });
  const lifeMs = await store.redis.pttl(windows.keys[0] ?? '');
  expect(lifeMs).toBeGreaterThanOrEqual(slotSeconds * 1_000 - 5_000);
  expect(lifeMs).toBeLessThanOrEqual((slotSeconds + 1) * 1_000);
});

it('counts in memory as the list of all requests does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 5 })), { maxLength: 40 }),
      fc.integer({ min: 1, max: 20 }),
      (steps, limit) => {
        const window = createSlidingWindow();
        let requests: number[] = [];
        let now = 0;
        for (const [after, count] of steps) {
          now += after;
          requests = requests.filter((second) => second > now - slotSeconds);
          expect(window.used(now)).toBe(requests.length);
          requests.push(...Array.from({ length: count }, () => now));
          window.add(now, count);
          const free = requests.length < limit ? now : (requests[requests.length - limit] ?? 0) + slotSeconds;
          expect(window.freeSecond(now, limit)).toBe(free);
        }
      },
    ),
  );
});

it('merges what two windows count, each request in its own second', () => {
  const step = fc.tuple(fc.integer({ min: 0, max: 70 }), fc.integer({ min: 0, max: 4 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 0, max: 70 }), (steps, after) => {
      const [one, two, both] = [createSlidingWindow(), createSlidingWindow(), createSlidingWindow()];
      let now = 0;
      for (const [later, count, isOne] of steps) {
        now += later;
        (isOne ? one : two).add(now, count);
        both.add(now, count);
      }
      one.merge(two, now);
      expect(one.used(now)).toBe(both.used(now));
      expect(one.used(now + after)).toBe(both.used(now + after));
    }),
  );
});
