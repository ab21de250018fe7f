import { expect, test } from 'vitest';
import { createInvalidations } from './invalidations.ts';

const place = (name: string) => ({ names: ['*', name], label: `getThing ${name}` });

test('more changes than can be remembered make everything stale that was begun before them, here and elsewhere', () => {
  const position = { seq: 0, asOfMs: Infinity };
  const invalidations = createInvalidations({ position: () => position });
  const before = invalidations.since();
  for (let seq = 1; seq <= 10_001; seq += 1) invalidations.hear(`thing/${seq}`, seq);
  position.seq = 10_001;
  for (const name of ['thing/1', 'thing/10001', 'never/changed']) {
    expect(invalidations.isFresh(place(name), before), name).toBe(false);
    expect(invalidations.isSharedFresh(place(name), 10_000), name).toBe(false);
    expect(invalidations.isFresh(place(name), invalidations.since()), name).toBe(true);
  }
});

test('up to there a change makes stale what it concerns, and nothing else', () => {
  const invalidations = createInvalidations({ position: () => ({ seq: 0, asOfMs: Infinity }) });
  const before = invalidations.since();
  for (let seq = 1; seq <= 10_000; seq += 1) invalidations.hear(`thing/${seq}`, seq);
  expect(invalidations.isFresh(place('thing/1'), before)).toBe(false);
  expect(invalidations.isFresh(place('never/changed'), before)).toBe(true);
});
