import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { controlledClock, startOwnRedis } from '@impact-hub/testkit';
import { redisChannel } from '../redis-channel.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import { BreakerOpenError } from './circuit.ts';
import { createBreakers, type Breakers } from './create-breakers.ts';

/** A server of its own: one test ends connections of others. */
let server: Awaited<ReturnType<typeof startOwnRedis>>;
let redis: { url: string; redis: Redis };
let channel: string;
const opened: (() => void)[] = [];
let listening = 0;
beforeAll(async () => {
  server = await startOwnRedis();
  redis = { url: server.url, redis: new Redis(server.url) };
  channel = redisChannel(redis.redis, 'breakers');
});
const listeners = async (): Promise<unknown> => (await redis.redis.pubsub('NUMSUB', channel))[1];
afterEach(async () => {
  listening = 0;
  opened.splice(0).forEach((close) => close());
  // Redis takes a moment to notice; the next test counts who listens.
  await vi.waitUntil(async () => (await listeners()) === 0, 10_000);
});
afterAll(async () => {
  redis.redis.disconnect();
  await server.close();
});

const log = createLogger({ level: 'silent' });
const setUp = (connection?: Redis) => {
  const clock = controlledClock();
  const metrics = createMetrics();
  const breakers = createBreakers({ ...(connection === undefined ? {} : { redis: connection }), clock, metrics, log });
  opened.push(breakers.stop);
  return { breakers, clock, metrics };
};
const connect = (db = 0): Redis => {
  const connection = new Redis(redis.url, {
    db,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 2_000,
  });
  connection.on('error', () => undefined);
  opened.push(() => connection.disconnect());
  return connection;
};
/** Like another process: a connection and state of its own. */
const setUpShared = async () => {
  const connection = connect();
  await vi.waitFor(() => connection.ping(), 10_000);
  const made = setUp(connection);
  listening += 1;
  await expect.poll(() => listeners()).toBe(listening);
  return { ...made, connection };
};

const broken = Object.assign(new Error('bad gateway'), { status: 502 });
const breakIt = async (breakers: Breakers, name: string, times = 5) => {
  for (let time = 0; time < times; time += 1)
    await breakers
      .get(name)
      .run(() => Promise.reject(broken))
      .catch(() => undefined);
};
const stateOf = (breakers: Breakers, name: string) => breakers.get(name).view().state;

describe('breakers', () => {
  it('say what opened them until they close', async () => {
    const { breakers, clock } = setUp();
    const breaker = breakers.get('partner', { successThreshold: 1 });
    await breaker.run(async () => 'well');
    await breakIt(breakers, 'partner');
    const seen = () => breakers.list()[0];
    expect(seen()).toMatchObject({ state: 'open', openedBy: { calls: 6, failures: 5 }, failureRate: 5 / 6 });
    clock.advanceMs(60_000);
    await breakIt(breakers, 'partner', 1);
    expect(seen()).toMatchObject({ state: 'open', openedBy: { calls: 6, failures: 5 } });
    clock.advanceMs(60_000);
    await breaker.run(async () => 'well');
    expect(seen()).toMatchObject({ state: 'closed', openedBy: null, failureRate: 0 });
  });

  it('count timeouts, connection errors, 5xx and 429 as failures, other 4xx and aborted calls not', async () => {
    const { breakers } = setUp();
    const breaker = breakers.get('partner');
    const ends = async (work: () => Promise<unknown>) => {
      await breaker.run(work).catch(() => undefined);
      return breaker.view().failures;
    };
    expect(await ends(() => Promise.reject(new DOMException('late', 'TimeoutError')))).toBe(1);
    expect(await ends(() => Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })))).toBe(2);
    expect(await ends(async () => ({ status: 429 }))).toBe(3);
    expect(await ends(async () => new Response(null, { status: 503 }))).toBe(4);
    expect(await ends(async () => ({ status: 404 }))).toBe(4);
    expect(await ends(() => Promise.reject(Object.assign(new Error('no'), { statusCode: 422 })))).toBe(4);
    expect(await ends(() => Promise.reject(new DOMException('ours', 'AbortError')))).toBe(4);
    expect(breaker.view().totals).toEqual({ success: 2, failure: 4, refused: 0, cancel: 1 });
    await breaker.run(async () => 'odd', { isFailure: () => true });
    expect(breaker.view().state).toBe('open');
  });

  it('refuse calls of an open circuit without running them, and say when to come back', async () => {
    const { breakers, clock } = setUp();
    await breakIt(breakers, 'partner');
    clock.advanceMs(1_000);
    const work = vi.fn<() => Promise<void>>();
    const refused = await breakers
      .get('partner')
      .run(work)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BreakerOpenError);
    expect(refused).toMatchObject({ retryAfterMs: 59_000, breaker: 'partner' });
    expect(work).not.toHaveBeenCalled();
  });

  it('show states, rates and transitions in the list and in the metrics', async () => {
    const { breakers, metrics } = setUp();
    await breakers.get('a').run(async () => 'fine');
    await breakIt(breakers, 'a', 1);
    await breakIt(breakers, 'b');
    await breakIt(breakers, 'b', 1);
    expect(breakers.list()).toMatchObject([
      { name: 'a', state: 'closed', calls: 2, failures: 1, failureRate: 0.5, lastTransitionAt: null },
      { name: 'b', state: 'open', retryAfterMs: 60_000, transitions: { closed: 0, open: 1, half_open: 0 } },
    ]);
    const text = await metrics.metrics();
    expect(text).toContain('circuit_breaker_state{name="b"} 2');
    expect(text).toContain('circuit_breaker_state{name="a"} 0');
    expect(text).toContain('circuit_breaker_transitions_total{name="b",to="open"} 1');
    expect(text).toContain('circuit_breaker_calls_total{name="b",outcome="failure"} 5');
    expect(text).toContain('circuit_breaker_calls_total{name="b",outcome="refused"} 1');
  });

  it('are closed by hand, one or all', async () => {
    const { breakers } = setUp();
    await breakIt(breakers, 'a');
    await breakIt(breakers, 'b');
    expect(breakers.reset('a')).toBe(true);
    expect([stateOf(breakers, 'a'), stateOf(breakers, 'b')]).toEqual(['closed', 'open']);
    breakers.reset();
    expect(stateOf(breakers, 'b')).toBe('closed');
    expect(breakers.reset('unheard of')).toBe(false);
  });

  it('take options, and keep an open circuit open when they change', async () => {
    const { breakers } = setUp();
    breakers.get('a', { failureThreshold: 2, openMs: 5_000 });
    await breakIt(breakers, 'a', 2);
    expect(breakers.get('a', { failureThreshold: 3, openMs: 5_000 }).view()).toMatchObject({
      state: 'open',
      retryAfterMs: 5_000,
      options: { failureThreshold: 3, successThreshold: 2 },
    });
  });

  it('go on probing when options change while nobody knows yet whether the dependency is well', async () => {
    const { breakers, clock } = setUp();
    breakers.get('a', { failureThreshold: 1, openMs: 5_000 });
    await breakIt(breakers, 'a', 1);
    clock.advanceMs(5_000);
    breakers.get('a').permit().success();
    const breaker = breakers.get('a', { failureThreshold: 2, openMs: 5_000 });
    breaker.permit();
    expect(breaker.view()).toMatchObject({ state: 'half_open', isProbing: true });
    expect(() => breaker.permit()).toThrow(BreakerOpenError);
  });

  it('are not opened by calls that began before their options changed', () => {
    const { breakers } = setUp();
    const earlier = [1, 2].map(() => breakers.get('a', { failureThreshold: 2 }).permit());
    breakers.get('a', { failureThreshold: 3 });
    for (const permit of earlier) permit.failure();
    expect(breakers.get('a').view()).toMatchObject({ state: 'closed', transitions: { open: 0 } });
  });

  it('that are forgotten are gone from list and metrics, and begin anew', async () => {
    const { breakers, metrics } = setUp();
    for (const name of ['a', 'b']) await breakIt(breakers, name);
    await metrics.metrics();
    breakers.forget('a');
    expect(breakers.list().map(({ name }) => name)).toEqual(['b']);
    const text = await metrics.metrics();
    expect(text).not.toContain('name="a"');
    expect(text).toContain('circuit_breaker_state{name="b"} 2');
    expect(stateOf(breakers, 'a')).toBe('closed');
  });
});

describe('breakers that share a Redis', () => {
  it('are forgotten by all processes, and not remembered by calls under way', async () => {
    const [one, two] = [await setUpShared(), await setUpShared()];
    const underWay = Array.from({ length: 5 }, () => two.breakers.get('gone').permit());
    await breakIt(one.breakers, 'gone');
    await expect.poll(() => stateOf(two.breakers, 'gone')).toBe('open');
    const late = two.breakers.get('later').permit();
    for (const name of ['gone', 'later']) one.breakers.forget(name);
    await expect.poll(() => two.breakers.list()).toEqual([]);
    await expect.poll(() => redis.redis.exists('hub:{breaker:gone}:open')).toBe(0);
    for (const permit of [...underWay, late, late, late, late, late]) permit.failure();
    await breakIt(two.breakers, 'last');
    await expect.poll(() => one.breakers.list().map(({ name }) => name)).toEqual(['last']);
    expect(await redis.redis.exists('hub:{breaker:later}:open')).toBe(0);
  });

  it('open, probe and close together', async () => {
    const [one, two] = [await setUpShared(), await setUpShared()];
    await breakIt(one.breakers, 'shared');
    await expect.poll(() => stateOf(two.breakers, 'shared'), { interval: 5 }).toBe('open');
    for (const { clock } of [one, two]) clock.advanceMs(60_000);
    const probe = one.breakers.get('shared').permit();
    await expect.poll(() => two.breakers.get('shared').view().isProbing, { interval: 5 }).toBe(true);
    expect(() => two.breakers.get('shared').permit()).toThrow(BreakerOpenError);
    probe.success();
    await expect.poll(() => two.breakers.get('shared').view().successes, { interval: 5 }).toBe(1);
    two.breakers.get('shared').permit().success();
    expect(stateOf(two.breakers, 'shared')).toBe('closed');
    await expect.poll(() => stateOf(one.breakers, 'shared'), { interval: 5 }).toBe('closed');
  });

  it('know of a circuit that opened before they started, for the time that is left', async () => {
    const one = await setUpShared();
    await breakIt(one.breakers, 'earlier');
    await expect.poll(() => redis.redis.pttl('hub:{breaker:earlier}:open')).toBeGreaterThan(55_000);
    const two = await setUpShared();
    await expect.poll(() => stateOf(two.breakers, 'earlier')).toBe('open');
    expect(two.breakers.get('earlier').view().retryAfterMs).toBeGreaterThan(55_000);
    two.breakers.reset('earlier');
    await expect.poll(() => stateOf(one.breakers, 'earlier')).toBe('closed');
    await expect.poll(() => redis.redis.exists('hub:{breaker:earlier}:open')).toBe(0);
  });

  it('are all reset by one, also those the one has never heard of', async () => {
    const [one, two] = [await setUpShared(), await setUpShared()];
    two.breakers.get('only two').adopt({ state: 'open', remainingMs: 60_000 });
    await redis.redis.set('hub:{breaker:only two}:open', '1');
    one.breakers.reset();
    await expect.poll(() => stateOf(two.breakers, 'only two')).toBe('closed');
    await expect.poll(() => redis.redis.exists('hub:{breaker:only two}:open')).toBe(0);
  });

  it('ignore messages that are none', async () => {
    const one = await setUpShared();
    for (const text of ['', '{', '{"from":"x","name":"n","news":{"state":"open","remainingMs":-1}}', 'null'])
      await redis.redis.publish(channel, text);
    await redis.redis.publish(
      channel,
      JSON.stringify({ from: 'x', name: 'valid', news: { state: 'open', remainingMs: 50 } }),
    );
    await expect.poll(() => one.breakers.list().map(({ name }) => name)).toEqual(['valid']);
  });

  it('hear nothing of a hub on another database of the same server', async () => {
    const one = await setUpShared();
    const stranger = connect(1);
    await vi.waitFor(() => stranger.ping(), 10_000);
    await breakIt(setUp(stranger).breakers, 'partner');
    await expect.poll(() => stranger.exists('hub:{breaker:partner}:open')).toBe(1);
    // What comes after it on the same connection has arrived: so would the news have.
    await stranger.publish(
      channel,
      JSON.stringify({ from: 'x', name: 'last', news: { state: 'open', remainingMs: 60_000 } }),
    );
    await expect.poll(() => stateOf(one.breakers, 'last')).toBe('open');
    expect(one.breakers.list().map(({ name }) => name)).toEqual(['last']);
  });

  it('decide alone, at once, while Redis is away', async () => {
    const unreachable = new Redis('redis://127.0.0.1:1', { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
    unreachable.on('error', () => undefined);
    opened.push(() => unreachable.disconnect());
    const { breakers, clock } = setUp(unreachable);
    await breakIt(breakers, 'partner');
    expect(stateOf(breakers, 'partner')).toBe('open');
    clock.advanceMs(60_000);
    breakers.get('partner').permit().success();
    breakers.get('partner').permit().success();
    expect(stateOf(breakers, 'partner')).toBe('closed');
    expect(breakers.reset('partner')).toBe(true);
    await sleep(20);
  });

  it('tell each other what they missed once Redis is back', async () => {
    const [one, two] = [await setUpShared(), await setUpShared()];
    const ended = new Promise((resolve) => one.connection.once('end', resolve));
    one.connection.disconnect();
    await ended;
    await breakIt(one.breakers, 'missed');
    expect(stateOf(one.breakers, 'missed')).toBe('open');
    expect(two.breakers.list()).toEqual([]);
    await one.connection.connect();
    await redis.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect.poll(() => stateOf(two.breakers, 'missed')).toBe('open');
  });
});
