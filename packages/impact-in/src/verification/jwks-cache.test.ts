import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJwksCache, jwksTimes } from './jwks-cache.ts';
import { newIssuer } from './test-tokens.ts';

const url = 'https://partner.example/jwks';
const [one, two] = [newIssuer('ES256', 'one'), newIssuer('ES256', 'two')];

const openCache = () => {
  const world = {
    nowMs: 0,
    isUp: true,
    keys: [one.jwk],
    fetches: 0,
    stale: 0,
    failures: 0,
    ended: 0,
    hold: undefined as Promise<void> | undefined,
  };
  const cache = createJwksCache({
    nowMs: () => world.nowMs,
    onStaleUse: () => (world.stale += 1),
    onFetched: (result) => {
      world.ended += 1;
      world.failures += Number(result === 'failure');
    },
    fetchJwks: async () => {
      world.fetches += 1;
      const { isUp, keys } = world;
      await world.hold;
      if (!isUp) throw new Error('away');
      return { keys };
    },
  });
  const idsOf = async (keyId: string, at = url, companyId = 'company'): Promise<string[] | 'unavailable'> => {
    const found = await cache.find(at, keyId, companyId);
    return found === 'unavailable' ? found : found.map((key) => key.keyId);
  };
  return { world, idsOf };
};

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the keys of an address', () => {
  it('are fetched once for all who ask at the same time, and then kept', async () => {
    const { world, idsOf } = openCache();
    expect(await Promise.all([idsOf('one'), idsOf('one'), idsOf('two')])).toEqual([['one'], ['one'], []]);
    expect(await idsOf('one')).toEqual(['one']);
    expect(world.fetches).toBe(1);
  });

  it('are fetched again for an unknown id, but not more often than the cool-down lets', async () => {
    const { world, idsOf } = openCache();
    await idsOf('one');
    world.keys = [one.jwk, two.jwk];
    for (let tries = 0; tries < 100; tries += 1) expect(await idsOf(`made up ${tries}`)).toEqual([]);
    expect(world.fetches).toBe(1);
    world.nowMs = jwksTimes.coolDownMs;
    expect(await idsOf('two')).toEqual(['two']);
    expect(world.fetches).toBe(2);
  });

  it('are renewed beside the requests, and a withdrawn key is not believed for longer than requests wait', async () => {
    const { world, idsOf } = openCache();
    await idsOf('one');
    world.keys = [two.jwk];
    world.nowMs = jwksTimes.renewAfterMs;
    expect(await idsOf('one')).toEqual(['one']);
    await expect.poll(() => idsOf('one')).toEqual([]);
    world.keys = [one.jwk];
    world.nowMs += jwksTimes.waitAfterMs;
    expect(await idsOf('two')).toEqual([]);
  });
});

describe('while the address does not answer', () => {
  it('known keys are believed for the stated time, then nothing can be said', async () => {
    const { world, idsOf } = openCache();
    await idsOf('one');
    world.isUp = false;
    world.nowMs = jwksTimes.trustedForMs - 1;
    expect(await idsOf('one')).toEqual(['one']);
    expect(world.stale).toBe(1);
    world.nowMs = jwksTimes.trustedForMs;
    expect(await idsOf('one')).toBe('unavailable');
    world.isUp = true;
    world.nowMs += jwksTimes.coolDownMs;
    expect(await idsOf('one')).toEqual(['one']);
  });

  it('nothing can be said of an unknown id, and no more is asked than the cool-down lets', async () => {
    const { world, idsOf } = openCache();
    await idsOf('one');
    world.isUp = false;
    world.nowMs = jwksTimes.coolDownMs;
    for (let tries = 0; tries < 50; tries += 1) expect(await idsOf('two')).toBe('unavailable');
    expect([world.fetches, world.failures]).toEqual([2, 1]);
    expect(await idsOf('one')).toEqual(['one']);
  });

  it('nothing can be said before the first answer', async () => {
    const { world, idsOf } = openCache();
    world.isUp = false;
    expect(await idsOf('one')).toBe('unavailable');
  });

  const waitingAtOnce = async (requests: readonly { companyId: string; at: string }[]) => {
    const { world, idsOf } = openCache();
    let release: () => void = () => undefined;
    world.hold = new Promise((resolve) => (release = resolve));
    const asked = requests.map(({ companyId, at }) => idsOf('one', at, companyId));
    await settle();
    release();
    const answers = await Promise.all(asked);
    const waited = requests.filter((_, index) => answers[index] !== 'unavailable');
    const of = (companyId: string) => waited.filter((request) => request.companyId === companyId).length;
    return { fetches: world.fetches, inAll: waited.length, of };
  };

  it('only so many requests of a company wait, for one address or for many', async () => {
    const atOne = await waitingAtOnce(Array.from({ length: 300 }, () => ({ companyId: 'a', at: url })));
    expect([atOne.inAll, atOne.fetches]).toEqual([100, 1]);
    const atMany = await waitingAtOnce(
      Array.from({ length: 300 }, (_, index) => ({ companyId: 'a', at: `${url}/${index % 20}` })),
    );
    expect(atMany.inAll).toBe(100);
  });

  it('some can wait of every company, however many others take all that they can', async () => {
    const greedy = Array.from({ length: 2_000 }, (_, index) => {
      const companyId = `company ${index % 20}`;
      return { companyId, at: `${url}/${companyId}` };
    });
    const newcomers = Array.from({ length: 10 }, () => ({ companyId: 'late', at: `${url}/late` }));
    const waiting = await waitingAtOnce([...greedy, ...newcomers]);
    expect(waiting.inAll).toBeLessThanOrEqual(400);
    expect(waiting.of('company 0')).toBeLessThan(25);
    expect(waiting.of('late')).toBe(10);
  });
});

describe('whatever happens', () => {
  type Step = { waitMs: number; happens: 'publish one' | 'publish two' | 'fail' | 'recover' | 'nothing'; asks: string };
  const step: fc.Arbitrary<Step> = fc.record({
    waitMs: fc.oneof(fc.nat(20_000), fc.nat(1_200_000), fc.nat(20_000_000)),
    happens: fc.constantFrom('publish one', 'publish two', 'fail', 'recover', 'nothing'),
    asks: fc.constantFrom('one', 'two', 'three'),
  });

  it('fetches keep their distance, and an answer was true within the time that a key set is believed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { world, idsOf } = openCache();
        const published: { id: string; fromMs: number; toMs: number }[] = [{ id: 'one', fromMs: 0, toMs: Infinity }];
        let [lastFetchMs, hasFailed] = [-Infinity, false];
        for (const { waitMs, happens, asks } of steps) {
          world.nowMs += waitMs;
          const current = published.at(-1);
          const next = happens === 'publish one' ? 'one' : happens === 'publish two' ? 'two' : undefined;
          if (next !== undefined && current !== undefined && next !== current.id) {
            current.toMs = world.nowMs;
            published.push({ id: next, fromMs: world.nowMs, toMs: Infinity });
            world.keys = [next === 'one' ? one.jwk : two.jwk];
          }
          if (happens === 'fail' || happens === 'recover') world.isUp = happens === 'recover';
          const fetches = world.fetches;
          const found = await idsOf(asks);
          // What is renewed beside the requests has ended before the next step.
          while (world.ended < world.fetches) await settle();
          if (world.fetches > fetches) {
            expect(world.fetches).toBe(fetches + 1);
            expect(world.nowMs - lastFetchMs).toBeGreaterThanOrEqual(jwksTimes.coolDownMs);
            lastFetchMs = world.nowMs;
            hasFailed = !world.isUp;
          }
          if (found === 'unavailable') expect(hasFailed).toBe(true);
          if (found === 'unavailable' || found.length === 0) continue;
          const believedMs = hasFailed ? jwksTimes.trustedForMs : jwksTimes.waitAfterMs;
          const wasTrue = published.some(({ id, toMs }) => id === asks && world.nowMs - toMs < believedMs);
          expect(wasTrue).toBe(true);
        }
      }),
      { numRuns: 150 },
    );
  });
});
