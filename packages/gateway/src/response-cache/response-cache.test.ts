import { setTimeout as pause } from 'node:timers/promises';
import { createTestRedis, keyPrincipal, type TestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nameOfKey, nameOfPattern, nameOfTag, everything } from './invalidations.ts';
import { ask, cachedRoute, modelFeed, okAnswer, startCache, type Asking, type FeedProcess } from './test-cache.ts';

let store: TestRedis;
beforeAll(async () => {
  store = await createTestRedis();
});
beforeEach(() => store.redis.flushdb());
afterAll(() => store.close());

const companyA = '0192f000-0000-7000-8000-00000000000a';
const companyB = '0192f000-0000-7000-8000-00000000000b';

/** A handler that counts its runs and answers with the number. */
const counting = () => {
  const handler = { runs: 0, run: async () => okAnswer(String((handler.runs += 1))) };
  return handler;
};

const start = async (options: Partial<Parameters<typeof startCache<FeedProcess>>[0]> = {}, route = cachedRoute()) => {
  const started = startCache({ redis: store.redis, ...options });
  started.cache.follow([route]);
  await pause(0);
  const handler = counting();
  const get = (asking: Asking = {}) => ask(started.cache, route, handler.run, asking);
  return { ...started, handler, get };
};
const stored = () => expect.poll(() => store.redis.dbsize()).toBeGreaterThan(0);

describe('a cached answer', () => {
  it('is served again until its time is over, and says how old it is', async () => {
    const { get, clock } = await start();
    expect((await get()).headers['x-cache']).toBe('miss');
    clock.advanceMs(59_000);
    const second = await get();
    expect([second.body, second.headers['x-cache'], second.headers['age']]).toEqual(['1', 'memory', '59']);
    clock.advanceMs(1_000);
    expect((await get()).body).toBe('2');
  });

  it('is found by another process, and neither callers nor bodies can be read from Redis', async () => {
    const principal = keyPrincipal(companyA, ['data:read']);
    const one = await start();
    await one.get({ principal });
    await stored();
    const two = await start();
    const answer = await two.get({ principal });
    expect([answer.body, answer.headers['x-cache'], two.handler.runs]).toEqual(['1', 'redis', 0]);
    const [name = ''] = await store.redis.keys('*');
    expect(name).toMatch(/^hub:\{response:[\w-]{27}\}$/);
    const text = (await store.redis.getBuffer(name))?.toString('latin1') ?? '';
    for (const secret of [companyA, 'content-type', 'etag', 'getThing']) expect(text).not.toContain(secret);
  });

  it('is not believed when Redis was tampered with or holds it under another name', async () => {
    const one = await start();
    await one.get();
    await one.get({ params: { id: 'b' } });
    await expect.poll(() => store.redis.dbsize()).toBe(2);
    const [first = '', second = ''] = await store.redis.keys('*');
    const bytes = (await store.redis.getBuffer(first)) ?? Buffer.alloc(0);
    await store.redis.set(second, bytes);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await store.redis.set(first, bytes);
    const two = await start();
    expect((await two.get()).headers['x-cache']).toBe('miss');
    expect((await two.get({ params: { id: 'b' } })).headers['x-cache']).toBe('miss');
  });

  it.each([
    ['a status other than 200', { ...okAnswer('x'), status: 201 }],
    ['a cookie', { ...okAnswer('x'), headers: { 'set-cookie': 'a=b' } }],
    ['more than a mebibyte', okAnswer('x'.repeat(1_048_577))],
  ])('is not one with %s', async (_what, answer) => {
    const { cache } = await start();
    let runs = 0;
    const run = async () => ((runs += 1), answer);
    await ask(cache, cachedRoute(), run);
    expect(await ask(cache, cachedRoute(), run)).toBe(answer);
    expect(runs).toBe(2);
  });
});

describe('sharing', () => {
  const scoped = (scopes: string[], companyId = companyA) => keyPrincipal(companyId, scopes);
  const askers = () => [scoped(['a']), scoped(['a']), scoped(['a', 'b']), scoped(['a'], companyB)];

  it.each([
    ['caller', 4],
    ['company', 3],
    ['everybody', 1],
  ] as const)('by %s lets four callers of two companies run the handler %i times', async (sharedBy, runs) => {
    const route = cachedRoute({ cache: { ttlSeconds: 60, sharedBy, tags: [] } });
    const { get, handler } = await start({}, route);
    const principals = askers();
    for (const principal of [...principals, ...principals]) await get({ principal });
    expect(handler.runs).toBe(runs);
    const other = await start({}, route);
    await Promise.all(principals.map((principal) => other.get({ principal })));
    expect(other.handler.runs).toBe(0);
  });

  it('keeps test keys and live keys of a company apart', async () => {
    const route = cachedRoute({ cache: { ttlSeconds: 60, sharedBy: 'company', tags: [] } });
    const { get, handler } = await start({}, route);
    const key = scoped(['a']);
    await get({ principal: key });
    await get({ principal: { ...key, environment: 'live' } as typeof key });
    expect(handler.runs).toBe(2);
  });

  it('takes two spellings of one query for one, and others for others', async () => {
    const { get, handler } = await start();
    await get({ query: { limit: 1, status: 'x' } });
    await get({ query: { status: 'x', limit: 1 } });
    expect(handler.runs).toBe(1);
    await get({ query: { status: 'x&limit=1' } });
    await get({ query: { status: 'x' } });
    expect(handler.runs).toBe(3);
  });
});

describe('a stampede', () => {
  it('runs the handler once, and a leader that fails fails only itself', async () => {
    const { cache } = await start();
    let runs = 0;
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const run = async () => {
      const mine = (runs += 1);
      await gate;
      if (mine === 1) throw new Error('leader failed');
      return okAnswer(String(mine));
    };
    const asked = Array.from({ length: 5 }, () => ask(cache, cachedRoute(), run));
    await pause(50);
    expect(runs).toBe(1);
    open();
    const settled = await Promise.allSettled(asked);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', ...Array.from({ length: 4 }, () => 'fulfilled')]);
    const again = await start();
    await Promise.all(Array.from({ length: 10 }, () => again.get({ params: { id: 'z' } })));
    expect(again.handler.runs).toBe(1);
  });

  it('is not joined by one who asks after a change that the leader may have missed', async () => {
    const { get, feed, cache } = await start();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const early = ask(cache, cachedRoute(), async () => (await gate, okAnswer('old')));
    await pause(20);
    feed.notify({ topic: 'thing', key: 'a' });
    const late = await get();
    open();
    expect([(await early).body, late.body, (await get()).body]).toEqual(['old', '1', '1']);
  });
});

describe('what a caller wishes', () => {
  const route = cachedRoute();

  it('no-cache runs the handler and refreshes; no-store leaves the cache alone; max-age bounds the age', async () => {
    const { get, clock } = await start({}, route);
    await get();
    expect((await get({ headers: { 'cache-control': 'no-cache' } })).body).toBe('2');
    expect((await get({ headers: { pragma: 'no-cache' } })).body).toBe('3');
    expect((await get()).body).toBe('3');
    expect((await get({ headers: { 'cache-control': 'no-store' } })).headers['etag']).toBeUndefined();
    expect((await get()).body).toBe('3');
    clock.advanceMs(10_000);
    expect((await get({ headers: { 'cache-control': 'max-age=10' } })).body).toBe('3');
    expect((await get({ headers: { 'cache-control': 'max-age=9' } })).body).toBe('5');
  });

  it('only-if-cached is 504 without a kept answer', async () => {
    const { get } = await start({}, route);
    const headers = { 'cache-control': 'only-if-cached' };
    await expect(get({ headers })).rejects.toMatchObject({ definition: { status: 504, code: 'cache.not_cached' } });
    await get();
    expect((await get({ headers })).body).toBe('1');
    await stored();
    expect((await (await start({}, route)).get({ headers })).body).toBe('1');
  });

  it('If-None-Match gets 304 while the body is the same, whatever the layer', async () => {
    const { get, cache } = await start({}, route);
    const etag = String((await get()).headers['etag']);
    for (const given of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await get({ headers: { 'if-none-match': given } });
      expect([answer.status, answer.body, answer.headers['etag']]).toEqual([304, '', etag]);
    }
    expect((await get({ headers: { 'if-none-match': '"x"' } })).status).toBe(200);
    const refreshed = await ask(cache, route, async () => okAnswer('1'), {
      headers: { 'if-none-match': etag, 'cache-control': 'no-cache' },
    });
    expect(refreshed.status).toBe(304);
  });

  it('tells the caller’s own cache to ask again when a change can make it stale, and to vary by caller', async () => {
    const tagged = await (await start({}, route)).get();
    expect(tagged.headers).toMatchObject({
      'cache-control': 'private, max-age=0, must-revalidate',
      vary: 'X-API-Key, Authorization, Cookie',
    });
    const open = cachedRoute({ operationId: 'open', cache: { ttlSeconds: 60, sharedBy: 'everybody', tags: [] } });
    const { get, clock } = await start({}, open);
    await get();
    clock.advanceMs(20_000);
    expect((await get()).headers['cache-control']).toBe('public, max-age=40');
  });
});

describe('what is declared stale', () => {
  it.each([
    ['by the change', 'thing', 'a', ['a']],
    ['by tag', 'response_cache', nameOfTag('thing/a'), ['a']],
    ['by the tag’s topic', 'response_cache', nameOfTag('thing'), ['a', 'b']],
    ['by key', 'response_cache', nameOfKey('getThing /things/b'), ['b']],
    ['by pattern', 'response_cache', nameOfPattern('get* /things/*'), ['a', 'b']],
    ['by another pattern', 'response_cache', nameOfPattern('list*'), []],
    ['altogether', 'response_cache', everything, ['a', 'b']],
  ])('%s is not served again, and nothing else is touched', async (_how, topic, key, stale) => {
    const model = modelFeed();
    const feed = model.process();
    const { get } = await start({ feed });
    const other = await start({ feed: model.process() });
    for (const id of ['a', 'b']) await get({ params: { id } });
    await expect.poll(() => store.redis.dbsize()).toBe(2);
    model.commit(topic, key);
    feed.poll();
    other.feed.poll();
    for (const id of ['a', 'b']) {
      expect((await other.get({ params: { id } })).headers['x-cache']).toBe(stale.includes(id) ? 'miss' : 'redis');
      expect((await get({ params: { id } })).headers['x-cache'] === 'memory').toBe(!stale.includes(id));
    }
  });

  it('before a process began is not taken from Redis by it', async () => {
    const model = modelFeed();
    const one = await start({ feed: model.process() });
    await one.get();
    await stored();
    model.commit('thing', 'a');
    const two = await start({ feed: model.process(), past: model.log });
    expect((await two.get()).headers['x-cache']).toBe('miss');
  });

  it('nothing kept is served while the feed is not current', async () => {
    const { get, feed } = await start();
    await get();
    feed.setCurrent(false);
    expect((await get()).body).toBe('2');
    feed.setCurrent(true);
    expect((await get()).headers['x-cache']).toBe('memory');
  });
});

describe('without Redis', () => {
  it('memory and handlers answer at once, and nobody hears of it but the metrics', async () => {
    const away = new Redis('redis://127.0.0.1:1', { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
    away.on('error', () => undefined);
    const { get } = await start({ redis: away });
    expect([(await get()).body, (await get()).body]).toEqual(['1', '1']);
    away.disconnect();
  });

  it('that hangs, one request waits 50 ms and the next ones not at all', async () => {
    const hanging = new Proxy(store.redis, {
      get: (target, name) =>
        name === 'getBuffer' ? () => new Promise(() => undefined) : Reflect.get(target, name, target),
    });
    const { get, cache } = await start({ redis: hanging });
    await get();
    expect(cache.view().usesRedis).toBe(false);
    expect((await get({ params: { id: 'b' } })).body).toBe('2');
  });

  it('emptied, nothing is wrong', async () => {
    const { get } = await start();
    await get();
    await store.redis.flushdb();
    expect((await get()).headers['x-cache']).toBe('memory');
    expect((await (await start()).get()).body).toBe('1');
  });
});
