import { createMetrics } from '@impact-hub/core';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createCompanyLimits } from './company-limits.ts';
import { decideLocally } from './decide-locally.ts';
import { createLimitMetrics } from './limit-metrics.ts';
import { createCaller, secondOf, type LimitedCaller } from './limited-caller.ts';
import type { SharedRedis } from './shared-redis.ts';
import { createTokenLender, type TokenLender } from './token-lender.ts';

/** What the next message meets; by default an answer that grants one token. */
let answer: () => Promise<number[]>;
let isAway: boolean;
let errors: unknown[];
let caller: LimitedCaller;
let lender: TokenLender;
const sent: number[][] = [];
const nowMs = (): number => 100_000;
beforeEach(() => {
  [isAway, errors] = [false, []];
  sent.length = 0;
  answer = async () => [1, 500, 400_000, 1, 561, 1, 561, 0];
  const client = {
    hubTakeTokens: (...args: [string, string, ...number[]]) => {
      sent.push(args.slice(2) as number[]);
      return answer();
    },
  };
  const shared: SharedRedis = {
    isAway: () => isAway,
    processes: () => 1,
    start: () => undefined,
    ask: (send) => send(client as unknown as Redis),
    stop: async () => undefined,
  };
  const companies = createCompanyLimits({
    sql: (async () => []) as never,
    changes: { subscribe: () => undefined, isCurrent: () => true },
    defaultPerMinute: 1_000,
    onError: (error) => errors.push(error),
  });
  caller = createCaller('key', 'k', 100, companies.get('c'));
  const metrics = createLimitMetrics(createMetrics());
  const onError = (error: unknown): void => void errors.push(error);
  lender = createTokenLender({ shared, companies, metrics, nowMs, unixMs: () => 500_000, onError });
});
afterEach(() => lender.stop());

const wait = (): Promise<string> =>
  new Promise((resolve) => lender.wait(caller, { admit: () => resolve('admitted'), refuse: () => resolve('refused') }));

const fail = (error: Error): never => {
  throw error;
};

it('decides without Redis, and asks again later, when something unforeseen is thrown meanwhile', async () => {
  const broken = new Error('broken answer');
  answer = async () => new Proxy([], { get: (_, name) => (name === 'then' ? undefined : fail(broken)) });
  expect(await Promise.all([wait(), wait()])).toEqual(['admitted', 'admitted']);
  expect(errors).toEqual([broken]);
  expect(caller.isAsking).toBe(false);
  answer = async () => [1, 500, 400_000, 3, 561, 3, 561, 0];
  expect(await wait()).toBe('admitted');
  // It also heard of the two admitted without it.
  expect(sent.at(-1)?.[3]).toBe(2);
});

it('forgets no request admitted without Redis when a message fails while more are admitted so', async () => {
  const admitHere = (): void => expect(decideLocally(caller, 1, nowMs(), 500_000)).toBeUndefined();
  admitHere();
  admitHere();
  answer = async () => {
    admitHere();
    isAway = true;
    throw new Error('lost');
  };
  expect(await wait()).toBe('admitted');
  expect(caller.owed?.used(secondOf(nowMs()))).toBe(4);
});
