import { createHash } from 'node:crypto';
import { controlledClock } from '@impact-hub/testkit';
import { describe, expect, it } from 'vitest';
import { associatedData } from './associated-data.ts';
import { parseSealed } from './ciphertext-format.ts';
import type { HeldKey } from './held-key.ts';
import { createSealer } from './sealer.ts';
import { xaesOpen } from './xaes-256-gcm.ts';

const scope = { companyId: '0197f3a0-0000-7000-8000-000000000001', purpose: 'test.purpose' };
const held = (): HeldKey => ({
  scope,
  id: { kid: '0197f3a0-0000-7000-8000-00000000000a', version: 7 },
  key: Buffer.alloc(32, 9),
  loadedAtMs: 0,
  erased: false,
});

describe('createSealer', () => {
  it('draws a new nonce prefix after 2^20 messages', () => {
    let draws = 0;
    const randomBytes = (count: number) =>
      createHash('shake128', { outputLength: count })
        .update(String((draws += 1)))
        .digest();
    const clock = controlledClock();
    const sealer = createSealer(held(), { clock, randomBytes, expiresAtMs: clock.nowMs() + 60_000 });
    const empty = Buffer.alloc(0);
    const prefixOf = (sealed: Buffer) => sealed.toString('hex', 21, 33);
    const first = prefixOf(sealer.seal('c', empty));
    let last = '';
    for (let i = 1; i < 2 ** 20; i += 1)
      if (i === 2 ** 20 - 1) last = prefixOf(sealer.seal('c', empty));
      else sealer.seal('c', empty);
    expect(last).toBe(first);
    const renewed = sealer.seal('c', Buffer.from('after'));
    expect(prefixOf(renewed)).not.toBe(first);
    const parsed = parseSealed(renewed);
    const opened = xaesOpen(held().key, associatedData(scope, held().id, 'c'), parsed?.sealed ?? empty);
    expect(opened?.toString()).toBe('after');
  });

  it('is independent of the cached key it came from, and erases its own copy on expiry', () => {
    const clock = controlledClock();
    const original = held();
    const sealer = createSealer(original, {
      clock,
      randomBytes: (n) => Buffer.alloc(n, 1),
      expiresAtMs: clock.nowMs() + 1,
    });
    original.key.fill(0);
    const sealed = sealer.seal('c', Buffer.from('text'));
    expect(
      xaesOpen(held().key, associatedData(scope, held().id, 'c'), parseSealed(sealed)?.sealed ?? sealed)?.toString(),
    ).toBe('text');
    sealer.expire();
    expect(() => sealer.seal('c', Buffer.from('text'))).toThrow('expired');
  });
});
