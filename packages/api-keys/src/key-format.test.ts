import { randomBytes } from 'node:crypto';
import { holdsApiKey } from '@impact-hub/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase62, randomBase62 } from './base62.ts';
import {
  apiKeyLength,
  apiKeyPattern,
  composeApiKey,
  digestApiKey,
  environmentOf,
  generateApiKey,
  inspectApiKey,
  keyIdOf,
} from './key-format.ts';

const environments = fc.constantFrom('live' as const, 'test' as const);
const keys = environments.map((environment) => ({ environment, ...generateApiKey(environment) }));

describe('key format', () => {
  it('makes keys of fixed width that match the published pattern and carry their own id and environment', () => {
    fc.assert(
      fc.property(keys, ({ key, keyId, environment }) => {
        expect(key).toHaveLength(apiKeyLength);
        expect(apiKeyPattern.exec(`text ${key} text`)?.[2]).toBe(keyId);
        expect(holdsApiKey(`text:${key}.`)).toBe(true);
        expect(holdsApiKey(`teei_${environment}_${keyId}`)).toBe(false);
        expect(inspectApiKey(key)).toBe('well_formed');
        expect(keyIdOf(key)).toBe(keyId);
        expect(environmentOf(key)).toBe(environment);
      }),
    );
  });

  it('refuses a key with any one character changed', () => {
    const character = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-');
    fc.assert(
      fc.property(keys, fc.nat({ max: apiKeyLength - 1 }), character, ({ key }, at, replacement) => {
        fc.pre(key[at] !== replacement);
        expect(inspectApiKey(key.slice(0, at) + replacement + key.slice(at + 1))).not.toBe('well_formed');
      }),
    );
  });

  it('refuses any other text, without throwing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(inspectApiKey(text)).toBe('malformed');
      }),
    );
  });

  it('keeps the key id and changes the secret when a key is composed again', () => {
    const first = generateApiKey('live');
    const second = composeApiKey('live', first.keyId);
    expect(keyIdOf(second)).toBe(first.keyId);
    expect(digestApiKey(second)).not.toBe(digestApiKey(first.key));
  });

  it('has the checksum the documentation describes', () => {
    // CRC-32 of this text by `gzip -c | tail -c8`: 0xf2840ea1.
    const zeros = (size: number) => Buffer.alloc(size);
    expect(generateApiKey('live', zeros).key).toBe(`teei_live_${'0'.repeat(55)}${encodeBase62(0xf2840ea1, 6)}`);
  });
});

describe('random base62', () => {
  it('draws every character equally often: bytes that would favour some are thrown away', () => {
    const drawn = randomBase62(62_000, randomBytes);
    const counts = new Map<string, number>();
    for (const character of drawn) counts.set(character, (counts.get(character) ?? 0) + 1);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
    expect(counts.size).toBe(62);
    // 61 degrees of freedom: a fair draw exceeds 130 less than once in a million.
    expect(chiSquare).toBeLessThan(130);
    expect(randomBase62(2, (size) => Buffer.alloc(size, 61))).toBe('zz');
    let calls = 0;
    expect(randomBase62(1, () => Buffer.of(calls++ === 0 ? 248 : 1))).toBe('1');
  });
});
