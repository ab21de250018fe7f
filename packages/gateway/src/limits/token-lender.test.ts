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
let atMs: number;
const nowMs = (): number => atMs;
beforeEach(() => {
  [isAway, errors, atMs] = [false, [], 100_000];
  sent.length = 0;
  answer = async () => [1, 500, 500, 400_000, 1, 561, 1, 561];
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
    defaultPerMinute: 100_000,
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
  answer = async () => [1, 500, 500, 400_000, 3, 561, 3, 561];
  expect(await wait()).toBe('admitted');
  // It also heard of the two admitted without it.
  expect(sent.at(-1)?.[5]).toBe(2);
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

/** Redis as it answers with this many tokens used by others: seconds as in the script, what is asked for granted. */
const grantAll =
  (used: number): typeof answer =>
  async () => {
    const [wanted = 0, , span = 0] = sent.at(-1) ?? [];
    const second = 400 + Math.floor(atMs / 1_000);
    return [
      wanted,
      second,
      second + span,
      (span + 1) * 1_000_000 - (atMs % 1_000) * 1_000,
      used,
      second + 61,
      used,
      second + 61,
    ];
  };

/** Requests one after the other, for 16 s, as the limiter takes them. @returns how many messages they took */
const messagesFor = async (everyMs: number): Promise<number> => {
  for (const endsAtMs = atMs + 16_000; atMs < endsAtMs; atMs += everyMs) {
    if (caller.left === 0 || atMs >= caller.validUntilMs) expect(await wait()).toBe('admitted');
    else caller.left -= 1;
  }
  return sent.length;
};

it('asks Redis once in eight seconds for a caller with a request or two a second', async () => {
  caller = createCaller('key', 'k', 100_000, caller.company);
  answer = grantAll(0);
  expect(await messagesFor(800)).toBeLessThanOrEqual(3);
  // What a lease left over comes back with the message after it.
  expect(sent.at(-1)?.[4]).toBeGreaterThan(0);
});

it('takes nothing for several seconds once half of a limit is used', async () => {
  caller = createCaller('key', 'k', 100_000, caller.company);
  answer = grantAll(50_000);
  await messagesFor(600);
  // The first message is sent before anything is known of the limit.
  expect(new Set(sent.slice(1).map(([, , span]) => span))).toEqual(new Set([0]));
});
