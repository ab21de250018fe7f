import { createServer, Socket, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis } from '@impact-hub/testkit';
import { Redis } from 'ioredis';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { newId } from '../ids.ts';
import { redisChannel } from '../redis-channel.ts';
import { publishChange, startChangeFeed, type ChangeFeedOptions } from './change-feed.ts';
import { connectDatabase, type Database } from './connect-database.ts';

let database: TestDatabase;
let redis: TestRedis;
const cleanups: (() => unknown)[] = [];
beforeAll(async () => {
  [database, redis] = await Promise.all([createTestDatabase(), createTestRedis()]);
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});
afterAll(() => Promise.all([database.drop(), redis.close()]));

/** Another process: pools and a feed of its own. */
const process = async (options: ChangeFeedOptions & { deaf?: boolean; systemUrl?: string } = {}) => {
  const { deaf = false, systemUrl = database.systemUrl, ...feedOptions } = options;
  const db = connectDatabase({ runtimeUrl: database.runtimeUrl, systemUrl, maxConnections: 2 });
  const withoutListen: Database['systemSql'] = new Proxy(db.systemSql, {
    get: (target, name, receiver) =>
      name === 'listen' ? async () => ({ unlisten: async () => undefined }) : Reflect.get(target, name, receiver),
  });
  const feed = await startChangeFeed(deaf ? { ...db, systemSql: withoutListen } : db, feedOptions);
  const seen: string[] = [];
  feed.subscribe('thing', (key) => seen.push(key));
  cleanups.push(async () => {
    await feed.stop();
    await db.close();
  });
  return { db, feed, seen };
};
const change = (db: Database, key: string) => db.company(newId(), (tx) => publishChange(tx, 'thing', key));
const until = (condition: () => boolean | Promise<boolean>) => expect.poll(condition, { interval: 5 }).toBe(true);

test('a committed change reaches every process, and a rolled-back one none', async () => {
  const [one, two] = [await process(), await process()];
  await one.db
    .company(newId(), async (tx) => {
      await publishChange(tx, 'thing', 'rolled-back');
      throw new Error('no');
    })
    .catch(() => undefined);
  await change(one.db, 'a');
  await until(() => one.seen.includes('a') && two.seen.includes('a'));
  expect([...one.seen, ...two.seen]).not.toContain('rolled-back');
});

test('the changing process knows before its transaction returns, of what was committed only', async () => {
  const { db, seen } = await process({ deaf: true });
  await db.company(newId(), async (tx) => {
    await publishChange(tx, 'thing', 'outer');
    await db.joining(tx, async () => {
      await db.company(tx.companyId ?? '', (inner) => publishChange(inner, 'thing', 'inner'));
      await db
        .company(tx.companyId ?? '', async (inner) => {
          await publishChange(inner, 'thing', 'undone');
          throw new Error('no');
        })
        .catch(() => undefined);
    });
    expect(seen).toEqual([]);
  });
  expect(seen).toEqual(['outer', 'inner']);
});

test('a change whose messages were lost arrives with the poll', async () => {
  const { seen } = await process({ redis: redis.redis });
  await database.owner`insert into hub_change (topic, key) values ('thing', 'silent')`;
  await until(() => seen.includes('silent'));
});

test('a notification that is none of the hub’s is passed over', async () => {
  const { db, seen } = await process();
  for (const message of ['', 'hello', '{', 'null', '["thing"]', '["thing", 1]'])
    await database.owner`select pg_notify('hub_change', ${message})`;
  await change(db, 'after');
  await until(() => seen.filter((key) => key === 'after').length >= 2);
  expect(new Set(seen)).toEqual(new Set(['after']));
});

test('a subscriber that fails keeps the others and the feed going', async () => {
  const onError = vi.fn<() => void>();
  const { db, feed, seen } = await process({ onError });
  feed.subscribe('thing', () => {
    throw new Error('no');
  });
  const later: string[] = [];
  feed.subscribe('thing', (key) => later.push(key));
  await change(db, 'b');
  expect([seen[0], later[0]]).toEqual(['b', 'b']);
  expect(onError).toHaveBeenCalled();
});

/** Bytes pass to `port` until told to stop; connections then hang, or break off. */
const startProxy = async (to: { hostname: string; port: string }) => {
  const sockets: Socket[] = [];
  let passes = true;
  const proxy = createServer((socket) => {
    const upstream = new Socket().connect(Number(to.port), to.hostname);
    sockets.push(socket, upstream);
    for (const end of [socket, upstream]) end.on('error', () => upstream.destroy() && socket.destroy());
    socket.on('data', (data) => void (passes && upstream.write(data)));
    upstream.on('data', (data) => void (passes && socket.write(data)));
  });
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  const breakOff = (): void => sockets.splice(0).forEach((socket) => socket.destroy());
  cleanups.push(() => {
    proxy.close();
    breakOff();
  });
  return {
    port: (proxy.address() as AddressInfo).port,
    setPasses: (value: boolean) => {
      passes = value;
    },
    breakOff,
    close: () => {
      breakOff();
      return new Promise((resolve) => void proxy.close(resolve));
    },
    reopen: (port: number) => new Promise<void>((resolve) => void proxy.listen(port, '127.0.0.1', resolve)),
  };
};

describe('Redis', () => {
  const listenerThrough = async (client: Redis) => {
    const metrics = new Registry();
    const heard = async () => Number(/path="redis"} (\d+)/.exec(await metrics.metrics())?.[1] ?? 0);
    const listener = await process({ redis: client, deaf: true, metrics });
    /** Until a change has come this way; a message sent before the other end has subscribed is lost. */
    const hears = async (db: Database) => {
      const before = await heard();
      await until(async () => {
        await change(db, 'again');
        await pause(20);
        return (await heard()) > before;
      });
    };
    return { ...listener, hears };
  };

  test('carries a change to a process that hears no notifications', async () => {
    const { db } = await process({ redis: redis.redis });
    const other = await listenerThrough(redis.redis);
    await other.hears(db);
    expect(other.seen).toContain('again');
  });

  test('may be away at the start and come back, and may break off', async () => {
    const proxy = await startProxy(new URL(redis.url));
    const { port } = proxy;
    await proxy.close();
    const client = new Redis(Object.assign(new URL(redis.url), { port }).href, {
      enableOfflineQueue: false,
      retryStrategy: () => 20,
    });
    client.on('error', () => undefined);
    cleanups.push(() => client.disconnect());
    const other = await listenerThrough(client);
    const { db } = await process({ redis: redis.redis });
    await change(db, 'without-redis');
    await until(() => other.seen.includes('without-redis'));
    // The change commits although telling of it fails.
    await change(other.db, 'own');
    expect(other.seen).toContain('own');
    await proxy.reopen(port);
    await other.hears(db);
    proxy.breakOff();
    await other.hears(db);
  });

  test('makes nobody believe junk', async () => {
    const { db } = await process({ redis: redis.redis });
    const { seen, hears } = await listenerThrough(redis.redis);
    await hears(db);
    const junk = ['', 'no json', '{}', '[]', '["thing"]', '["thing",1]', 'null', `["thing","${'x'.repeat(600)}"]`];
    for (const text of [...junk, '["thing","last"]'])
      await redis.redis.publish(redisChannel(redis.redis, 'changes'), text);
    await until(() => seen.includes('last'));
    expect([...new Set(seen)]).toEqual(['again', 'last']);
  });
});

test('a feed that cannot reach Postgres says that it is not current', async () => {
  const { feed } = await process();
  expect(feed.isCurrent()).toBe(true);
  await feed.stop();
  await pause(2_100);
  expect(feed.isCurrent()).toBe(false);
});

test('connections that hang without breaking end the trust after 2 s, and new ones renew it with what was missed', async () => {
  const proxy = await startProxy(new URL(database.systemUrl));
  const systemUrl = Object.assign(new URL(database.systemUrl), { host: `127.0.0.1:${proxy.port}` }).href;
  const { feed, seen } = await process({ systemUrl });
  expect(feed.isCurrent()).toBe(true);
  proxy.setPasses(false);
  const stalledAtMs = performance.now();
  await change(database.db, 'meanwhile');
  let trustedForMs = 0;
  await until(() => {
    const askedAtMs = performance.now();
    if (!feed.isCurrent()) return true;
    trustedForMs = askedAtMs - stalledAtMs;
    return false;
  });
  expect(trustedForMs).toBeLessThan(2_050);
  expect(seen).toEqual([]);
  proxy.setPasses(true);
  proxy.breakOff();
  await until(() => feed.isCurrent());
  expect(seen).toContain('meanwhile');
});

test('after a long suspension the feed is not current, and tells to forget what was cached', async () => {
  const { feed } = await process();
  const onMissed = vi.fn<() => void>();
  feed.subscribe('thing', () => undefined, onMissed);
  const now = vi.spyOn(Date, 'now').mockImplementation(() => new Date().getTime() + 2 * 3_600_000);
  expect(feed.isCurrent()).toBe(false);
  await until(() => onMissed.mock.calls.length > 0);
  now.mockRestore();
});

test('the feed’s position covers every change that had committed when it was asked, and changes come with their number', async () => {
  const feed = await startChangeFeed(database.db);
  const told: number[] = [];
  feed.subscribe('numbered', (_key, seq) => void told.push(...(seq === undefined ? [] : [seq])));
  await database.db.company(newId(), (tx) => publishChange(tx, 'numbered', 'a'));
  const committedMs = performance.now();
  await until(() => feed.position().asOfMs > committedMs);
  expect(told).toHaveLength(1);
  expect(feed.position().seq).toBeGreaterThanOrEqual(told[0] ?? Infinity);
  await feed.stop();
});
