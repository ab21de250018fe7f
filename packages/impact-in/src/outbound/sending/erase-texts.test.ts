import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createEraser } from './erase-texts.ts';

/** What is left when every character of every occurrence is gone, each gap marked once. */
const eraseByCharacter = (text: string, wanted: readonly string[], cutAt: number): string => {
  const gone = Array.from(text, () => false);
  for (const one of wanted.filter(({ length }) => length >= 3))
    for (let at = 0, free = 0; at < text.length; at += 1) {
      const rest = text.slice(at, at + one.length);
      const isCut = text.length >= cutAt && rest.length >= 3 && rest.length < one.length && one.startsWith(rest);
      const isWhole = rest === one && at >= free;
      if (isWhole) free = at + one.length;
      if (isWhole || isCut) gone.fill(true, at, at + one.length);
    }
  return Array.from(text, (character, at) => (gone[at] ? (gone[at - 1] ? '' : '[removed]') : character)).join('');
};

test('every occurrence of every text is taken out whole, and nothing else', () => {
  const word = (maxLength: number) => fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength });
  fc.assert(
    fc.property(word(40), fc.array(word(7), { maxLength: 6 }), fc.nat(50), (text, wanted, cutAt) => {
      expect(createEraser(wanted, cutAt)(text)).toBe(eraseByCharacter(text, wanted, cutAt));
    }),
    { numRuns: 5_000 },
  );
});

test('a long text of nothing but beginnings of many texts is read in proportion to its length', () => {
  const wanted = Array.from({ length: 300 }, (_, n) => `${'a'.repeat(2_000)}${n}`);
  const text = 'a'.repeat(65_536);
  expect(createEraser(wanted, 300)(text).length).toBeLessThanOrEqual(text.length);
});
