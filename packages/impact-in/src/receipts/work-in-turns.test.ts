import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createWorkInTurns } from './work-in-turns.ts';

const setUp = () => {
  const run = createWorkInTurns();
  const begun: string[] = [];
  const piece = (company: string, name: string, work: () => Promise<void> = () => nextTurn()) =>
    run([company, 'endpoint'], 16_384, async () => {
      begun.push(name);
      await work();
      return name;
    });
  return { begun, piece };
};

test('one piece at a time, companies in turns, however much one of them has asked for', async () => {
  const { begun, piece } = setUp();
  let atOnce = 0;
  const alone = async (): Promise<void> => {
    atOnce += 1;
    expect(atOnce).toBe(1);
    await nextTurn();
    await nextTurn();
    atOnce -= 1;
  };
  const noisy = Array.from({ length: 20 }, (_, n) => piece('noisy', `noisy ${n}`, alone));
  const quiet = piece('quiet', 'quiet', alone);
  expect(await quiet).toBe('quiet');
  expect(begun.length).toBeLessThan(5);
  expect(await Promise.all(noisy)).toHaveLength(20);
});

test('everything else goes on between two pieces, also when they never wait', async () => {
  const { piece } = setUp();
  let turns = 0;
  const count = (): void => {
    turns += 1;
    if (turns < 100) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: 10 }, (_, n) => piece('one', `${n}`, () => Promise.resolve())));
  expect(turns).toBeGreaterThanOrEqual(9);
});

test('a piece that fails is told so, and the next one begins', async () => {
  const { piece } = setUp();
  const failing = piece('one', 'fails', () => Promise.reject(new Error('no')));
  const after = piece('one', 'after');
  await expect(failing).rejects.toThrow('no');
  expect(await after).toBe('after');
  expect(await piece('one', 'later')).toBe('later');
});
