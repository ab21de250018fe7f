import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBodies } from './compare-bodies.ts';

const compare = (a: string, b: string) => compareBodies(Buffer.from(a), Buffer.from(b));

test('names the places that differ, whatever the fields are called', () => {
  expect(compare('{"a":1,"b":{"c":[1,2]}}', '{"b":{"c":[1,3]},"a":1}')).toEqual(['/b/c/1']);
  expect(compare('{"a/b":1,"~":1}', '{}')).toEqual(['/a~1b', '/~0']);
  expect(compare('{"__proto__":{}}', '{}')).toEqual(['/__proto__']);
  expect(compare('{}', '{"toString":1}')).toEqual(['/toString']);
  expect(compare('1', '2')).toEqual(['/']);
  expect(compare('\ufeff{"a":1}', '{"a":2}')).toEqual(['/a']);
  expect(compare('{', '{}')).toBeNull();
});

test('bodies of the same value differ nowhere, and others somewhere', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.jsonValue({ maxDepth: 5 }), (a, b) => {
      const [x, y] = [JSON.stringify(a), JSON.stringify(b)];
      expect(compare(x, JSON.stringify(JSON.parse(x), null, 3))).toEqual([]);
      const isSame = JSON.stringify(JSON.parse(x)) === JSON.stringify(JSON.parse(y));
      if (isSame) expect(compare(x, y)).toEqual([]);
    }),
  );
});

test('bodies of any size and depth are compared in bounded work and told in few words', () => {
  const zeros = `[${'0,'.repeat(400_000)}0]`;
  expect(compare(zeros, `[${'1,'.repeat(400_000)}0]`)).toBeNull();
  const deep = (inner: string) => `${'['.repeat(100_000)}${inner}${']'.repeat(100_000)}`;
  expect(compare(deep('1'), deep('2'))).toHaveLength(1);
  const long = 'x'.repeat(400_000);
  const told = compare(`{"${long}":{"a":1,"b":1}}`, `{"${long}":{"a":2,"b":2}}`) ?? [];
  expect(told).toHaveLength(2);
  expect(Math.max(...told.map((place) => place.length))).toBeLessThanOrEqual(300);
});
