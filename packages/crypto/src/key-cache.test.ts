import { controlledClock } from '@impact-hub/testkit';
import { describe, expect, it } from 'vitest';
import type { HeldKey } from './held-key.ts';
import { createKeyCache } from './key-cache.ts';

const held = (): HeldKey => ({
  scope: { companyId: '0197f3a0-0000-7000-8000-000000000001', purpose: 'p' },
  id: { kid: '0197f3a0-0000-7000-8000-00000000000a', version: 1 },
  key: Buffer.alloc(32, 7),
  loadedAtMs: 0,
  erased: false,
});
const zeros = Buffer.alloc(32);

describe('the key cache', () => {
  it('overwrites a key with zeros when it expires, is pushed out, forgotten or cleared', async () => {
    const clock = controlledClock();
    const cache = createKeyCache(clock, 2);
    const keys = [held(), held(), held(), held(), held()];
    const put = (index: number) =>
      cache.use(
        `k${index}`,
        async () => keys[index],
        () => true,
      );
    await put(0);
    await put(1);
    await put(2);
    expect(keys[0]?.key).toEqual(zeros);
    expect(keys[1]?.key).not.toEqual(zeros);
    cache.forget('k1');
    expect(keys[1]?.key).toEqual(zeros);
    clock.advanceMs(30_001);
    cache.sweep();
    expect(keys[2]?.key).toEqual(zeros);
    await put(3);
    cache.clear();
    expect(keys[3]?.key).toEqual(zeros);
  });

  it('loads once for all who ask at the same time, and again after a failure', async () => {
    const cache = createKeyCache(controlledClock(), 10);
    let loads = 0;
    const load = async () => {
      loads += 1;
      if (loads === 1) throw new Error('database away');
      return held();
    };
    const ask = () => cache.use('k', load, (key) => key.key[0]);
    await expect(Promise.all([ask(), ask()])).rejects.toThrow('database away');
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([7, 7, 7]);
    expect(loads).toBe(2);
  });

  it('does not keep the answer of a load that began before the key was forgotten', async () => {
    const cache = createKeyCache(controlledClock(), 10);
    let finish: (key: HeldKey) => void = () => undefined;
    const slow = cache.use(
      'k',
      () => new Promise<HeldKey>((resolve) => (finish = resolve)),
      (key) => key.id.version,
    );
    cache.forget('k');
    finish(held());
    expect(await slow).toBe(1);
    const fresh: HeldKey = { ...held(), id: { kid: held().id.kid, version: 2 } };
    expect(
      await cache.use(
        'k',
        async () => fresh,
        (key) => key.id.version,
      ),
    ).toBe(2);
  });

  it('does not remember that a key is missing', async () => {
    const cache = createKeyCache(controlledClock(), 10);
    expect(
      await cache.use(
        'k',
        async () => undefined,
        () => 1,
      ),
    ).toBeUndefined();
    expect(
      await cache.use(
        'k',
        async () => held(),
        () => 1,
      ),
    ).toBe(1);
  });

  it('never hands out the zeros of a key that was pushed out while its user was waiting', async () => {
    const cache = createKeyCache(controlledClock(), 1);
    let loads = 0;
    const load = async () => {
      loads += 1;
      return held();
    };
    const firstBytes = await Promise.all(['a', 'b', 'c'].map((name) => cache.use(name, load, ({ key }) => key[0])));
    expect(firstBytes).toEqual([7, 7, 7]);
    expect(loads).toBeGreaterThan(3);
  });
});
