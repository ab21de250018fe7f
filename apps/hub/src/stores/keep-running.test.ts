import { expect, test } from 'vitest';
import { keepRunning } from './keep-running.ts';

/** A child whose end the test decides. */
const child = (number: number) => {
  let end: () => void = () => undefined;
  const exited = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { number, exited, end: () => end(), stop: async () => end() };
};
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('a store that ends by itself is started again, at the address of the first', async () => {
  const started: { number: number; first: number | undefined }[] = [];
  const children: ReturnType<typeof child>[] = [];
  const running = await keepRunning<ReturnType<typeof child>>(
    async (first) => {
      const next = child(children.length);
      children.push(next);
      started.push({ number: next.number, first: first?.number });
      return next;
    },
    () => undefined,
  );
  children[0]?.end();
  await expect.poll(() => children.length).toBe(2);
  children[1]?.end();
  await expect.poll(() => children.length).toBe(3);
  expect(started).toEqual([
    { number: 0, first: undefined },
    { number: 1, first: 0 },
    { number: 2, first: 0 },
  ]);
  await running.stop();
  await tick();
  expect(children).toHaveLength(3);
});

test('a restart that fails is tried again', async () => {
  let attempts = 0;
  const first = child(0);
  const running = await keepRunning<ReturnType<typeof child>>(
    async () => {
      attempts += 1;
      if (attempts === 1) return first;
      if (attempts === 2) throw new Error('port in use');
      return child(attempts);
    },
    () => undefined,
  );
  first.end();
  await expect.poll(() => attempts).toBe(3);
  await running.stop();
});

test('a store that ends as soon as it runs is not started again and again without a pause', async () => {
  const startedAtMs: number[] = [];
  const running = await keepRunning<ReturnType<typeof child>>(
    async () => {
      const next = child(startedAtMs.length);
      startedAtMs.push(performance.now());
      if (next.number < 3) next.end();
      return next;
    },
    () => undefined,
  );
  await expect.poll(() => startedAtMs.length, { timeout: 5_000 }).toBe(4);
  expect((startedAtMs[3] ?? 0) - (startedAtMs[0] ?? 0)).toBeGreaterThan(700);
  await running.stop();
});
