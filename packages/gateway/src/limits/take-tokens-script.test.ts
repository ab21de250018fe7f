import { createTestRedis, type TestRedis } from '@impact-hub/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSlidingWindow } from './sliding-window.ts';
import {
  longestSpanSeconds,
  readTaken,
  slotSeconds,
  takeTokensLua,
  windowSeconds,
  type Taken,
} from './take-tokens-script.ts';

/** The script with its clock handed in as two further arguments; nothing else differs from what the hub runs. */
const controlledLua = takeTokensLua.replace("redis.call('TIME')", '{ ARGV[9], ARGV[10] }');

let store: TestRedis;
let runs = 0;
beforeAll(async () => {
  if (controlledLua.includes("'TIME'")) throw new Error('the script reads a clock that the test does not control');
  store = await createTestRedis();
});
afterAll(() => store.close());

type Call = {
  wanted: number;
  limits: readonly [number, number];
  needed?: number;
  span?: number;
  owed?: number;
  /** The second they were entered in, and how many. */
  unused?: readonly [number, number];
};

const openWindows = () => {
  runs += 1;
  const keys = [1, 2].map((key) => `w:{${runs}}:${key}`);
  return {
    keys,
    take: async (nowMs: number, call: Call): Promise<Taken> =>
      readTaken(
        (await store.redis.eval(
          controlledLua,
          2,
          ...keys,
          call.wanted,
          call.needed ?? call.wanted,
          call.span ?? 0,
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
const afterMs = fc.oneof(fc.integer({ min: 0, max: 1_500 }), fc.integer({ min: 0, max: 70_000 }));
const span = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: longestSpanSeconds }));
const step = fc.record({
  afterMs,
  ahead: fc.integer({ min: 0, max: 8 }),
  needed: fc.integer({ min: 0, max: 4 }),
  span,
  owed: fc.oneof({ arbitrary: fc.constant(0), weight: 4 }, fc.integer({ min: 0, max: 4 })),
  unused: fc.integer({ min: 0, max: 12 }),
});

it('grants exactly what a list of all tokens that count leaves, and says when more is free', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })),
      fc.array(step, { maxLength: 30 }),
      async (limits, steps) => {
        const windows = openWindows();
        const limit = Math.min(...limits);
        // The reference: the second every token is entered in. Both windows see the same requests here.
        let tokens: number[] = [];
        let last = { slot: 0, granted: 0 };
        let nowMs = startMs;
        for (const { afterMs, ahead, needed, span, owed, unused } of steps) {
          nowMs += afterMs;
          const now = Math.floor(nowMs / 1_000);
          const back = Math.min(unused, last.granted);
          for (let count = 0; count < back; count += 1) {
            const index = tokens.indexOf(last.slot);
            if (index >= 0) tokens.splice(index, 1);
          }
          const wanted = needed + ahead;
          const taken = await windows.take(nowMs, { wanted, needed, span, owed, limits, unused: [last.slot, back] });
          tokens = tokens.filter((slot) => slot > now - slotSeconds);
          const isLong = span > 0 && (tokens.length + owed + wanted) * 2 <= limit;
          const asked = isLong || span === 0 ? wanted : needed;
          const granted = Math.max(0, Math.min(asked, limit - tokens.length - owed));
          const slot = isLong ? now + span : now;
          tokens.push(...Array.from({ length: owed }, () => now), ...Array.from({ length: granted }, () => slot));
          tokens.sort((one, two) => one - two);
          const leftMs = (slot - now + 1) * 1_000 - (nowMs % 1_000);
          expect(taken).toMatchObject({ granted, second: now, slot, leftMs, used: tokens.length });
          expect(taken.companyUsed).toBe(tokens.length);
          const free = (of: number): number => (tokens[Math.max(0, tokens.length - of)] ?? 0) + slotSeconds;
          if (tokens.length > 0)
            expect([taken.freeSecond, taken.companyFreeSecond]).toEqual([free(limits[0]), free(limits[1])]);
          last = { slot, granted };
        }
      },
    ),
    { numRuns: 150 },
  );
});

it('never admits more than the limit in any 60 seconds, whenever tokens taken ahead are used', async () => {
  const request = fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 50_000, max: 62_000 })),
    needed: fc.integer({ min: 0, max: 12 }),
    // Of the time each token taken ahead may be used in; beyond it, it is given back.
    ahead: fc.array(fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1.3, noNaN: true })), { maxLength: 6 }),
    span,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 24 }),
      fc.array(request, { maxLength: 20 }),
      async (limit, companyLimit, requests) => {
        const windows = openWindows();
        const admittedAtMs: number[] = [];
        let unused: readonly [number, number] = [0, 0];
        let nowMs = startMs;
        for (const { afterMs, needed, ahead, span } of requests) {
          nowMs += afterMs;
          const wanted = needed + ahead.length;
          const taken = await windows.take(nowMs, { wanted, needed, span, unused, limits: [limit, companyLimit] });
          const tokens = [...Array.from({ length: needed }, () => 0), ...ahead].slice(0, taken.granted);
          const used = tokens.filter((part) => part <= 1);
          admittedAtMs.push(...used.map((part) => nowMs + part * (taken.leftMs - 1)));
          unused = [taken.slot, tokens.length - used.length];
        }
        for (const from of admittedAtMs)
          expect(
            admittedAtMs.filter((at) => at >= from && at <= from + windowSeconds * 1_000).length,
          ).toBeLessThanOrEqual(Math.min(limit, companyLimit));
      },
    ),
    { numRuns: 200 },
  );
});

it('grants tokens for several seconds only while half of either limit is left', async () => {
  const windows = openWindows();
  const call = { wanted: 4, needed: 1, span: 8, limits: [100, 10] } as const;
  const second = Math.floor(startMs / 1_000);
  expect(await windows.take(startMs, call)).toMatchObject({ granted: 4, slot: second + 8, leftMs: 8_750 });
  expect(await windows.take(startMs, call)).toMatchObject({ granted: 1, slot: second, leftMs: 750, used: 5 });
  // Those are free again 61 s after the last moment the tokens could be used in, and no earlier.
  expect(await windows.take(startMs + 68_000, { wanted: 7, limits: [7, 10] })).toMatchObject({ granted: 3 });
  expect(await windows.take(startMs + 69_000, { wanted: 4, limits: [7, 10] })).toMatchObject({ granted: 4 });
});

it('takes from neither window when one of them has nothing left', async () => {
  const windows = openWindows();
  await windows.take(startMs, { wanted: 3, limits: [10, 3] });
  expect(await windows.take(startMs, { wanted: 1, limits: [10, 3] })).toMatchObject({ granted: 0, used: 3 });
});

it('holds on while the clock steps back a little, and starts afresh when it jumps', async () => {
  const windows = openWindows();
  const call = { wanted: 1, span: 8, limits: [2, 9] } as const;
  await windows.take(startMs, { wanted: 2, limits: [2, 9] });
  expect(await windows.take(startMs - 5_000, call)).toMatchObject({ granted: 0, leftMs: 0 });
  // Nor is anything lent for seconds that have been.
  const roomy = { ...call, limits: [20, 20] } as const;
  const second = Math.floor(startMs / 1_000) - 5;
  expect(await windows.take(startMs - 5_000, roomy)).toMatchObject({ granted: 1, leftMs: 0, second, slot: second });
  expect(await windows.take(startMs - 3_600_000, { wanted: 1, limits: [2, 9] })).toMatchObject({ granted: 1 });
});

it('lets Redis forget a window that nobody uses', async () => {
  const windows = openWindows();
  await windows.take(startMs, { wanted: 1, limits: [2, 9] });
  const lifeMs = await store.redis.pttl(windows.keys[0] ?? '');
  expect(lifeMs).toBeGreaterThanOrEqual((slotSeconds + longestSpanSeconds) * 1_000);
  expect(lifeMs).toBeLessThanOrEqual((slotSeconds + longestSpanSeconds + 1) * 1_000);
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
