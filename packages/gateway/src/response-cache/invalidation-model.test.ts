import { controlledClock, createTestRedis, type TestRedis } from '@impact-hub/testkit';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, cachedRoute, modelFeed, okAnswer, startCache } from './test-cache.ts';

let store: TestRedis;
beforeAll(async () => {
  store = await createTestRedis();
});
afterAll(() => store.close());

const ids = ['a', 'b'] as const;
const ttlSeconds = 60;
const route = cachedRoute({ cache: { ttlSeconds, sharedBy: 'everybody', tags: ['thing/:id'] } });

const process = fc.constantFrom(0, 1);
const id = fc.constantFrom(...ids);
/** How many of the waiting steps of earlier commands happen before the next command. */
const releases = fc.integer({ min: 0, max: 6 });
const command = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read'), process, id, releases }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('write'), process, id, releases, isHeard: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('poll'), process, id, releases }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait'), process, id, releases }) },
);
type Command = { kind: string; process: number; id: string; releases: number; isHeard?: boolean };

/** Redis whose answers arrive when the scheduler lets them. */
const delayed = (redis: Redis, s: fc.Scheduler): Redis =>
  new Proxy(redis, {
    get: (target, name) => {
      if (name === 'getBuffer')
        return async (key: string) => {
          const found = await target.getBuffer(key);
          await s.schedule(Promise.resolve(), 'redis read');
          return found;
        };
      if (name === 'set')
        return async (...args: Parameters<Redis['set']>) => {
          await s.schedule(Promise.resolve(), 'redis write');
          return target.set(...args);
        };
      return Reflect.get(target, name, target) as unknown;
    },
  });

/** Versions are numbers that grow with each write; a process knows of a version when it has been told of its change. */
const startModel = (s: fc.Scheduler) => {
  const model = modelFeed();
  const clock = controlledClock();
  const committed = new Map<string, { version: number; seq: number; atMs: number }[]>(
    ids.map((one) => [one, [{ version: 0, seq: 0, atMs: clock.nowMs() }]]),
  );
  const processes = [0, 1].map(() => {
    const feed = model.process();
    const { cache } = startCache({ redis: delayed(store.redis, s), feed }, clock);
    cache.follow([route]);
    return { feed, cache, knows: new Map<string, number>(ids.map((one) => [one, 0])) };
  });
  type Process = (typeof processes)[number];
  const historyOf = (one: string) => committed.get(one) ?? [];
  const current = (one: string): number => historyOf(one).at(-1)?.version ?? 0;
  const learn = ({ knows }: Process, one: string, version: number): void =>
    void knows.set(one, Math.max(knows.get(one) ?? 0, version));

  const write = async ({ process: number, id: one, isHeard }: Command): Promise<void> => {
    const change = model.commit('thing', one);
    const version = current(one) + 1;
    historyOf(one).push({ version, seq: change.seq, atMs: clock.nowMs() });
    await Promise.all(
      processes.map(async (other, index) => {
        // The writer hears of its own change before its caller does; messages to the other may be late or lost.
        if (index !== number) {
          if (isHeard !== true) return;
          await s.schedule(Promise.resolve(), 'message');
        }
        other.feed.notify(change);
        learn(other, one, version);
      }),
    );
  };
  const poll = (one: Process): void => {
    one.feed.poll();
    for (const name of ids) learn(one, name, current(name));
  };
  const read = async (one: Process, name: string): Promise<{ got: number; atLeast: number }> => {
    const [known, startedMs] = [one.knows.get(name) ?? 0, clock.nowMs()];
    const tooOld = historyOf(name).findLast(({ atMs }) => atMs <= startedMs - ttlSeconds * 1_000)?.version ?? 0;
    const run = async () => {
      await s.schedule(Promise.resolve(), 'handler begins');
      const version = current(name);
      await s.schedule(Promise.resolve(), 'handler ends');
      return okAnswer(JSON.stringify([name, version]));
    };
    const answer = await ask(one.cache, route, run, { params: { id: name } });
    const [answered, got] = JSON.parse(answer.body) as [string, number];
    expect(answered).toBe(name);
    return { got, atLeast: Math.max(known, tooOld) };
  };
  return { processes, clock, write, poll, read };
};

test('whatever the order of fills, changes, messages, polls and ages in two processes: nobody reads less than their process knows', async () => {
  const sources = { memory: 0, redis: 0, joined: 0, overtaken: 0, staleRefused: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 30 }), fc.scheduler(), async (commands, s) => {
      await store.redis.flushdb();
      const { processes, clock, write, poll, read } = startModel(s);
      const perform = async (step: Command): Promise<void> => {
        const one = processes[step.process];
        if (one === undefined) return;
        if (step.kind === 'wait') clock.advanceMs(25_000);
        else if (step.kind === 'poll') poll(one);
        else if (step.kind === 'write') await write(step);
        else {
          const { got, atLeast } = await read(one, step.id);
          expect(got).toBeGreaterThanOrEqual(atLeast);
        }
      };
      const underWay: Promise<void>[] = [];
      for (const step of commands) {
        underWay.push(perform(step));
        for (let released = 0; released < step.releases; released += 1) {
          // What Redis really answers has to arrive before it can be released.
          await new Promise(setImmediate);
          if (s.count() > 0) await s.waitOne();
        }
      }
      await s.waitFor(Promise.all(underWay));
      for (const { cache } of processes)
        for (const figures of cache.view().operations)
          for (const name of Object.keys(sources) as (keyof typeof sources)[]) sources[name] += figures[name];
    }),
    { numRuns: 300 },
  );
  // The model would prove nothing if the runs never came to what it is about.
  for (const [name, count] of Object.entries(sources)) expect(count, name).toBeGreaterThan(20);
});
