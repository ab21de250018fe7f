import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findRepeatedName } from './find-repeated-name.ts';

const find = (json: string): string | undefined => findRepeatedName(json, JSON.parse(json));

it.each([
  ['{"a":1,"a":2}', '/a'],
  ['{"a":1, "b":{"c":[0,{"d":1,"e":"}","d" :2}]}}', '/b/c/1/d'],
  ['[{"a":1},{"a":1,"\\u0061":1}]', '/1/a'],
  ['{"a/b~":1,"a/b~":1}', '/a~1b~0'],
  ['{"":0,"":1}', '/'],
  ['{"x\\\\":1,"y\\"":2,"x\\\\":3}', '/x\\'],
])('names the place in %s', (json, pointer) => {
  expect(find(json)).toBe(pointer);
});

it('finds none in what JSON.stringify writes, whatever the names and values', () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      expect(find(json)).toBeUndefined();
    }),
  );
});

it('finds every name that is written once more', () => {
  const members = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 });
  fc.assert(
    fc.property(members, fc.nat(), (object, index) => {
      const names = Object.keys(object).filter((name) => name !== '__proto__');
      const name = names[index % names.length];
      if (name === undefined) return;
      const again = `${JSON.stringify(object).slice(0, -1)},${JSON.stringify(name)}:0}`;
      expect(find(again)).toBe(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    }),
  );
});

it('reads what is nested as deep as it is long', () => {
  const depth = 300_000;
  expect(find(`${'['.repeat(depth)}${']'.repeat(depth)}`)).toBeUndefined();
  expect(find(`${'['.repeat(1_000)}{"a":1,"a":1}${']'.repeat(1_000)}`)).toMatch(/\/0\/a$/);
});
