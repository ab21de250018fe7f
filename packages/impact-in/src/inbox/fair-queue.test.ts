import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFairQueue, type Owners } from './fair-queue.ts';

type Item = { owners: Owners; bytes: number; n: number };

const anItem = fc.record({
  owners: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2')),
  bytes: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 1_500_000 })),
});
const fill = (items: readonly Omit<Item, 'n'>[]) => {
  const queue = createFairQueue<Item>();
  items.forEach((item, n) => queue.push(item.owners, { ...item, n }));
  return queue;
};

test('everything is taken once, within the limits of a batch, and each owner first in, first out', () => {
  const limits = { rows: 7, bytes: 100_000 };
  fc.assert(
    fc.property(fc.array(anItem, { maxLength: 60 }), (items) => {
      const queue = fill(items);
      const taken: Item[] = [];
      while (queue.size() > 0) {
        const batch = queue.take(limits);
        expect(batch.length).toBeGreaterThan(0);
        expect(batch.length).toBeLessThanOrEqual(limits.rows);
        if (batch.length > 1)
          expect(batch.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(limits.bytes);
        taken.push(...batch);
      }
      expect(queue.take(limits)).toEqual([]);
      for (const line of Object.values(Object.groupBy(taken, ({ owners }) => owners.join())))
        expect(line?.map(({ n }) => n)).toEqual(line?.map(({ n }) => n).toSorted((a, b) => a - b));
      expect(taken.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(items.map((_, n) => n));
    }),
  );
});

const many = (owners: Owners, count: number, bytes: number): Omit<Item, 'n'>[] =>
  Array.from({ length: count }, () => ({ owners, bytes }));
/** Bytes taken for each, of the first `bytes` that are taken. */
const sharesOf = (
  items: Omit<Item, 'n'>[],
  bytes: number,
  keyOf: (owners: Owners) => string,
): Record<string, number> => {
  const shares: Record<string, number> = {};
  for (const { owners, bytes: size } of fill(items).take({ rows: items.length, bytes }))
    shares[keyOf(owners)] = (shares[keyOf(owners)] ?? 0) + size;
  return shares;
};

test('owners of small and of large items get the same bytes, to within one item', () => {
  const items = [...many(['a', '1'], 3_000, 1_000), ...many(['b', '1'], 30, 1_000_000)];
  const { a = 0, b = 0 } = sharesOf(items, 5_000_000, ([company]) => company);
  expect(Math.abs(a - b)).toBeLessThan(1_050_000);
});

test('a company does not get more by having more endpoints', () => {
  const endpoints = Array.from({ length: 20 }, (_, n) => many(['a', `a${n}`], 200, 1_000)).flat();
  const { a = 0, b = 0 } = sharesOf(
    [...endpoints, ...many(['b', '1'], 2_000, 1_000)],
    1_000_000,
    ([company]) => company,
  );
  expect(Math.abs(a - b)).toBeLessThan(40_000);
});

test('the endpoints of a company get equal shares of what it has', () => {
  const items = [...many(['a', '1'], 2_000, 1_000), ...many(['a', '2'], 400, 1_000)];
  const shares = sharesOf(items, 500_000, ([, endpoint]) => endpoint);
  expect(Math.abs((shares['1'] ?? 0) - (shares['2'] ?? 0))).toBeLessThan(40_000);
});

test('removing heads leaves the rest in order', () => {
  fc.assert(
    fc.property(fc.array(anItem, { maxLength: 40 }), fc.nat(40), (items, until) => {
      const queue = fill(items);
      const removed = queue.removeHeads(({ n }) => n < until);
      expect(removed.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(
        items.flatMap((_, n) => (n < until ? [n] : [])),
      );
      expect(queue.size()).toBe(items.length - removed.length);
      const rest = queue.take({ rows: 100, bytes: Number.MAX_SAFE_INTEGER });
      expect(rest.map(({ n }) => n).every((n) => n >= until)).toBe(true);
      expect(rest).toHaveLength(items.length - removed.length);
    }),
  );
});
