import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonForms, rewriteJson } from './rewrite-json.ts';

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('a body is written anew as JSON.stringify and Python do', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const body = Buffer.concat([bytesOf(value), Buffer.alloc(4_096, ' ')]);
      const written = rewriteJson(body).map(({ text }) => text);
      const again: unknown = JSON.parse(body.toString());
      expect([written[0], written[2], written[3]]).toEqual([
        JSON.stringify(again),
        JSON.stringify(again, null, 2),
        JSON.stringify(again, null, 4),
      ]);
      expect(JSON.parse(written[1] ?? '')).toEqual(again);
      expect(written[1]).toMatch(/^[\n -~]*$/);
    }),
  );
  const [, python] = rewriteJson(Buffer.from('{"a":["é",1,{}],"b":"\u007f😀"}'));
  expect(python?.text).toBe(String.raw`{"a": ["\u00e9", 1, {}], "b": "\u007f\ud83d\ude00"}`);
});

test('a mark of byte order is no part of the JSON', () => {
  expect(rewriteJson(Buffer.from('\ufeff{"a": 1}'))[0]?.text).toBe('{"a":1}');
});

test('what nests deep, or would grow beyond four times its size, is not written', () => {
  const nested = (depth: number, inner: string): Buffer =>
    Buffer.from(`${'['.repeat(depth)}${inner}${']'.repeat(depth)}`);
  expect(rewriteJson(nested(4_000, ''))).toEqual([]);
  expect(rewriteJson(nested(8_000, ''))).toEqual([]);
  expect(rewriteJson(nested(31, `${'0,'.repeat(8_000)}0`)).map(({ form }) => form)).toEqual([
    jsonForms[0]?.form,
    jsonForms[1]?.form,
  ]);
  for (const { text } of rewriteJson(nested(20, `${'{},'.repeat(5_000)}0`)))
    expect(text.length).toBeLessThan(5 * 16_384);
});

test('what is no JSON has no other form', () => {
  for (const text of ['', '{', 'NaN', '\ufeff']) expect(rewriteJson(Buffer.from(text))).toEqual([]);
});
