import {
  anonymous,
  createMetrics,
  type Answer,
  type Call,
  type ChangeFeed,
  type Principal,
  type Route,
} from '@impact-hub/core';
import { controlledClock } from '@impact-hub/testkit';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { PastChanges } from './follow-changes.ts';
import { createResponseCache, type ResponseCache } from './create-response-cache.ts';

/** The changes of a model: what committed, in order, and what each process has been told. */
export const modelFeed = () => {
  const log: { topic: string; key: string; seq: number }[] = [];
  const process = () => {
    const subscribers: { topic: string; onChange: (key: string, seq?: number) => void }[] = [];
    let [seq, asOfMs, current] = [log.length, performance.now(), true];
    const tell = (change: { topic: string; key: string }, number?: number): void => {
      for (const { topic, onChange } of subscribers) if (topic === change.topic) onChange(change.key, number);
    };
    return {
      subscribe: (topic: string, onChange: (key: string, seq?: number) => void) =>
        void subscribers.push({ topic, onChange }),
      isCurrent: () => current,
      position: () => ({ seq, asOfMs }),
      /** A message about one change, as NOTIFY or Redis carry it: without number. */
      notify: tell,
      poll: (): void => {
        const startedAtMs = performance.now();
        for (; seq < log.length; seq += 1) {
          const change = log[seq];
          if (change !== undefined) tell(change, change.seq);
        }
        asOfMs = startedAtMs;
      },
      setCurrent: (value: boolean): void => void (current = value),
    };
  };
  const commit = (topic: string, key: string) => {
    const change = { topic, key, seq: log.length + 1 };
    log.push(change);
    return change;
  };
  return { log, process, commit };
};

export type FeedProcess = ReturnType<ReturnType<typeof modelFeed>['process']>;

type Feed = Pick<ChangeFeed, 'subscribe' | 'isCurrent' | 'position'>;
type Options<F extends Feed> = {
  redis: Redis;
  feed?: F;
  past?: Awaited<ReturnType<PastChanges>>;
  pastChanges?: PastChanges;
};

/** A cache as one process has it. */
export const startCache = <F extends Feed = FeedProcess>(
  { redis, past = [], pastChanges = async () => past, ...given }: Options<F>,
  clock = controlledClock(),
) => {
  const feed = given.feed ?? (modelFeed().process() as unknown as F);
  const cache = createResponseCache({
    changes: feed,
    pastChanges,
    redis,
    secret: 'a secret for tests',
    generation: () => '1',
    clock,
    metrics: createMetrics(),
    maxEntries: 100,
  });
  return { cache, feed, clock };
};

type RouteParts = Partial<Pick<Route, 'operationId' | 'path' | 'cache' | 'input'>>;

export const cachedRoute = (parts: RouteParts = {}): Route<unknown> => ({
  method: 'GET',
  path: '/things/:id',
  operationId: 'getThing',
  summary: 'Get',
  access: 'public',
  input: {},
  output: { 200: z.unknown() },
  cache: { ttlSeconds: 60, tags: ['thing/:id'] },
  handler: () => undefined,
  ...parts,
});

export type Asking = {
  principal?: Principal;
  params?: Record<string, unknown>;
  query?: Record<string, unknown>;
  headers?: Record<string, string>;
};

export const okAnswer = (body: string): Answer => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body,
});

/** Asks the cache as the edge does. */
export const ask = (
  cache: ResponseCache,
  route: Route<unknown>,
  run: () => Promise<Answer>,
  { principal = anonymous, params = { id: 'a' }, query, headers = {} }: Asking = {},
): Promise<Answer> => {
  const call = { request: { headers }, route, principal, input: { params, query, body: undefined } };
  return cache.around(call as unknown as Call)?.(run) ?? run();
};
