import { expect, test } from 'vitest';
import { followChanges } from './follow-changes.ts';
import { everything } from './invalidations.ts';

const start = (pastChanges: () => Promise<{ topic: string; key: string; seq: number }[]>) => {
  const heard: string[] = [];
  let miss: () => void = () => undefined;
  const follower = followChanges({
    changes: { subscribe: (_topic, _changed, missed) => void (miss = missed ?? miss) },
    pastChanges,
    hear: (name) => void heard.push(name),
    reset: () => undefined,
    onError: () => undefined,
  });
  follower.start(new Set(['thing']));
  return { follower, heard, miss: () => miss() };
};

test('after missed changes everything kept is stale, and what others kept is believed only when the past was read again', async () => {
  let reads = 0;
  const { follower, heard, miss } = start(async () => [{ topic: 'thing', key: `${(reads += 1)}`, seq: reads }]);
  await follower.learned();
  expect([follower.knowsPast(), heard]).toEqual([true, ['thing', 'thing/1']]);
  miss();
  expect([follower.knowsPast(), heard.at(-1)]).toEqual([false, everything]);
  await expect.poll(() => follower.knowsPast()).toBe(true);
  expect(heard.at(-1)).toBe('thing/2');
});

test('a past that could not be read is read again until it can be', async () => {
  let reads = 0;
  const { follower } = start(async () => {
    reads += 1;
    if (reads === 1) throw new Error('away');
    return [];
  });
  await follower.learned();
  expect(follower.knowsPast()).toBe(false);
  await expect.poll(() => follower.knowsPast(), { timeout: 5_000 }).toBe(true);
});
