import { expect, it } from 'vitest';
import { createLineBudget } from './line-budget.ts';

it('lets so many lines through in a second, and tells with the next one how many it left out', () => {
  let nowMs = 5_000;
  const budget = createLineBudget(() => nowMs, 2);
  const take = (times: number) => Array.from({ length: times }, () => budget.take());
  expect(take(5)).toEqual([0, 0, undefined, undefined, undefined]);
  nowMs = 5_999;
  expect(take(1)).toEqual([undefined]);
  nowMs = 6_000;
  expect(take(3)).toEqual([4, 0, undefined]);
  nowMs = 60_000;
  expect(take(1)).toEqual([1]);
});
