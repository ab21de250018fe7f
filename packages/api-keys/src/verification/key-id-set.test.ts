import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { randomBase62 } from '../base62.ts';
import { createKeyIdSet } from './key-id-set.ts';

const keyId = fc.stringMatching(/^[0-9A-Za-z]{12}$/);

it('holds what was added, and nothing that begins otherwise', () =>
  fc.assert(
    fc.property(fc.array(keyId, { maxLength: 200 }), fc.array(keyId, { maxLength: 50 }), (added, others) => {
      const set = createKeyIdSet();
      const prefixes = new Set<string>();
      for (const id of added) {
        set.add(id);
        set.add(id);
        prefixes.add(id.slice(0, 8));
      }
      expect(set.size()).toBe(prefixes.size);
      for (const id of [...added, ...others]) expect(set.has(id)).toBe(prefixes.has(id.slice(0, 8)));
    }),
  ));

it('holds 50,000 random ids without taking one of as many others for known', () => {
  const set = createKeyIdSet();
  const ids = Array.from({ length: 50_000 }, () => randomBase62(12, randomBytes));
  for (const id of ids) set.add(id);
  expect(ids.every((id) => set.has(id))).toBe(true);
  expect(Array.from({ length: 50_000 }, () => randomBase62(12, randomBytes)).filter((id) => set.has(id))).toEqual([]);
});
