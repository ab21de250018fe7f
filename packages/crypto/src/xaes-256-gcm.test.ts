import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deriveSubkey, xaesOpen, xaesSeal } from './xaes-256-gcm.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

const vectors = [
  {
    key: hex('01'.repeat(32)),
    subkey: 'c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b',
    associatedData: '',
    sealed: 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271',
  },
  {
    key: hex('03'.repeat(32)),
    subkey: 'e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8',
    associatedData: 'c2sp.org/XAES-256-GCM',
    sealed: '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d',
  },
];

const key = hex('42'.repeat(32));
const nonce = hex('24'.repeat(24));
const associatedData = Buffer.from('{"table":"endpoint"}');

describe('XAES-256-GCM', () => {
  it.each(vectors)('reproduces the C2SP vector with associated data "$associatedData"', (vector) => {
    const vectorNonce = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');
    const aad = Buffer.from(vector.associatedData);
    expect(deriveSubkey(vector.key, vectorNonce.subarray(0, 12)).export().toString('hex')).toBe(vector.subkey);
    const sealed = xaesSeal(vector.key, vectorNonce, aad, Buffer.from('XAES-256-GCM'));
    expect(sealed.toString('hex')).toBe(vectorNonce.toString('hex') + vector.sealed);
    expect(xaesOpen(vector.key, aad, sealed)?.toString()).toBe('XAES-256-GCM');
  });

  it('reproduces the C2SP accumulated test over 10,000 random inputs', () => {
    const stream = createHash('shake128', { outputLength: 4_000_000 }).digest();
    const accumulated = createHash('shake128', { outputLength: 32 });
    let offset = 0;
    const take = (count: number) => stream.subarray(offset, (offset += count));
    const takeShort = () => take(take(1)[0] as number);
    for (let i = 0; i < 10_000; i += 1) {
      const [k, n] = [take(32), take(24)];
      const plaintext = takeShort();
      accumulated.update(xaesSeal(k, n, takeShort(), plaintext).subarray(24));
    }
    expect(accumulated.digest('hex')).toBe('e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939');
  });

  it('returns every plaintext it has sealed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 60 }), (plaintext, aad) => {
        expect(xaesOpen(key, aad, xaesSeal(key, nonce, aad, plaintext))).toEqual(Buffer.from(plaintext));
      }),
    );
  });

  it('refuses a message with any single bit flipped: nonce, ciphertext or tag', () => {
    const sealed = xaesSeal(key, nonce, associatedData, Buffer.from('thirty-one bytes of plain text.'));
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(xaesOpen(key, associatedData, flipped)).toBeUndefined();
    }
  });

  it('refuses every truncated message, so that no short tag is ever accepted', () => {
    const sealed = xaesSeal(key, nonce, associatedData, Buffer.from('text'));
    for (let length = 0; length < sealed.length; length += 1)
      expect(xaesOpen(key, associatedData, sealed.subarray(0, length))).toBeUndefined();
    expect(xaesOpen(key, associatedData, Buffer.concat([sealed, Buffer.alloc(1)]))).toBeUndefined();
  });

  it('refuses other associated data and another key', () => {
    const sealed = xaesSeal(key, nonce, associatedData, Buffer.from('text'));
    expect(xaesOpen(key, Buffer.alloc(0), sealed)).toBeUndefined();
    expect(xaesOpen(hex('43'.repeat(32)), associatedData, sealed)).toBeUndefined();
  });
});
