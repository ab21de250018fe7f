import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIdempotencyKey } from './read-idempotency-key.ts';

const visible = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 255,
});
const quote = (key: string): string => `"${key.replaceAll(/["\\]/g, '\\$&')}"`;

describe('an Idempotency-Key', () => {
  it('is the same key quoted, as the draft has it, and bare', () => {
    fc.assert(fc.property(visible, (key) => readIdempotencyKey(quote(key)) === key));
    fc.assert(
      fc.property(
        visible.filter((key) => !key.startsWith('"')),
        (key) => readIdempotencyKey(key) === key,
      ),
    );
  });

  it.each([
    ['nothing', ''],
    ['an empty string', '""'],
    ['a space', 'a b'],
    ['a quoted space', '"a b"'],
    ['two headers', 'a, b'],
    ['two quoted headers', '"a", "b"'],
    ['an open quote', '"a'],
    ['something after the string', '"a";b=1'],
    ['a wrong escape', '"a\\b"'],
    ['256 characters', 'a'.repeat(256)],
    ['a character that is not ASCII', 'é'],
    ['a control character', 'a\u0001'],
    ['a list', ['a', 'b']],
  ])('is refused with 400 naming the header for %s', (_what, header) => {
    const errors = [expect.objectContaining({ pointer: '/headers/idempotency-key' })];
    expect(() => readIdempotencyKey(header)).toThrow(
      expect.objectContaining({
        definition: expect.objectContaining({ code: 'request.invalid', status: 400 }),
        options: expect.objectContaining({ errors }),
      }),
    );
  });
});
