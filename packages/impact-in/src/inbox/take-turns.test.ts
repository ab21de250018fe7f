import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createTurns } from './take-turns.ts';

const limits = { perLoop: 10, deadlineMs: 1_000 };

test('a request begins at once while a turn of the event loop has room', async () => {
  const turns = createTurns(limits);
  for (let loop = 0; loop < 3; loop += 1) {
    for (let n = 0; n < 10; n += 1) expect(turns.enter(['company', 'endpoint'], 1_000)).toBe(true);
    expect(turns.enter(['company', 'endpoint'], 1_000)).not.toBe(true);
    await pause(10);
  }
});

test('every request begins, however many come together', async () => {
  const turns = createTurns(limits);
  const entered = Array.from({ length: 500 }, (_, n) => turns.enter([`company ${n % 3}`, `endpoint ${n % 7}`], 1_000));
  expect(await Promise.all(entered.map((each) => Promise.resolve(each)))).toEqual(Array(500).fill(true));
});

test('a request waits for a turn of each sender, not for all that others have sent', async () => {
  const turns = createTurns(limits);
  const order: string[] = [];
  const enter = async (company: string, endpoint: string) => {
    await turns.enter([company, endpoint], 1_700);
    order.push(endpoint);
  };
  const noisy = Array.from({ length: 1_000 }, () => enter('a', 'noisy'));
  const quiet = [enter('a', 'sibling'), enter('b', 'quiet')];
  await Promise.all([...noisy, ...quiet]);
  expect(order.indexOf('quiet')).toBeLessThan(50);
  expect(order.indexOf('sibling')).toBeLessThan(50);
});

test('a request that has waited too long is told so', async () => {
  const turns = createTurns({ perLoop: 1, deadlineMs: 0 });
  expect(turns.enter(['a', 'b'], 1)).toBe(true);
  expect(await turns.enter(['a', 'b'], 1)).toBe(false);
});
