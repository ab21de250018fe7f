import type { AroundHandler, Call, ChangeFeed, Clock, MetricsRegistry, Route } from '@impact-hub/core';
import type { Redis } from 'ioredis';
import { createAnswering } from './answer-asked.ts';
import type { Count } from './asked.ts';
import { createCacheLayers, createMemory, maxMemoryBytes } from './cache-layers.ts';
import { cachePlaceOf } from './cache-place.ts';
import { createCacheStatistics } from './cache-statistics.ts';
import { followChanges, type PastChanges } from './follow-changes.ts';
import { createHotPaths } from './hot-paths.ts';
import { createInvalidations, namesOf } from './invalidations.ts';
import { readCacheWishes } from './request-cache-control.ts';
import { createSharedLayer } from './shared-layer.ts';

/** Changes are remembered for an hour; an answer must not outlive what could make it stale. */
const maxTtlSeconds = 1_800;
const maxWarmedUp = 20;

export type ResponseCacheOptions = {
  changes: Pick<ChangeFeed, 'subscribe' | 'isCurrent' | 'position'>;
  /** The changes under these topics that are still remembered. */
  pastChanges: PastChanges;
  redis: Redis;
  /** Seals and names answers in Redis; the same in every process. */
  secret: string;
  /** Changes whenever answers of the same data may look different, e.g. with another release. */
  generation(): string;
  clock: Clock;
  metrics: MetricsRegistry;
  maxEntries: number;
  onError?(error: unknown): void;
};

/** @throws Error for a route that asks for what the cache cannot hold to */
const checkRoutes = (routes: readonly Pick<Route, 'operationId' | 'cache' | 'method'>[]): void => {
  for (const { operationId, cache, method } of routes)
    if (cache !== undefined && (method !== 'GET' || !(cache.ttlSeconds >= 1 && cache.ttlSeconds <= maxTtlSeconds)))
      throw new Error(`${operationId}: only answers of a GET can be kept, for 1 to ${maxTtlSeconds} seconds`);
};

/** The parts of a cache, made and joined; see docs/adr/0011. */
const openCache = (options: ResponseCacheOptions) => {
  const { changes, clock, redis, secret, generation } = options;
  const memory = createMemory(options.maxEntries);
  const statistics = createCacheStatistics(options.metrics, {
    entries: () => memory.size,
    bytes: () => memory.calculatedSize,
  });
  const shared = createSharedLayer({ redis, secret, onFailure: statistics.redisFailed });
  const invalidations = createInvalidations(changes);
  const follower = followChanges({
    changes,
    pastChanges: options.pastChanges,
    hear: (name, seq) => {
      statistics.invalidated();
      invalidations.hear(name, seq);
    },
    reset: statistics.reset,
    onError: options.onError ?? (() => undefined),
  });
  const count: Count = (asked, what) => statistics.count(asked.call.route.operationId, what);
  const { knowsPast } = follower;
  const layers = createCacheLayers({ memory, shared, changes, invalidations, knowsPast, generation, clock, count });
  const answer = createAnswering({ layers, changes, invalidations, clock, count });
  return { memory, statistics, shared, follower, answer };
};

/** The cached routes' answers: in this process's memory, and sealed in Redis for all. */
export const createResponseCache = (options: ResponseCacheOptions) => {
  const { memory, statistics, shared, follower, answer } = openCache(options);
  const hot = createHotPaths(options.redis);
  let publicPaths: readonly string[] = [];
  return {
    /** Opens the cache for the routes that ask for it. Once, when all routes are known. */
    follow: (routes: readonly Route<unknown>[]): void => {
      checkRoutes(routes);
      publicPaths = routes
        .filter(({ cache, access, path }) => cache !== undefined && access === 'public' && !path.includes(':'))
        .map(({ path }) => path);
      const tags = routes.flatMap(({ cache }) => cache?.tags ?? []);
      follower.start(new Set(tags.map((tag) => tag.split('/', 1)[0] ?? tag)));
    },
    /** The edge's `around`: undefined for routes without `cache`, and for callers who want none. */
    around: (call: Call): AroundHandler | undefined => {
      const { cache } = call.route;
      if (cache === undefined) return undefined;
      const wishes = readCacheWishes(call.request.headers);
      if (wishes.noStore) {
        statistics.count(call.route.operationId, 'bypass');
        return undefined;
      }
      const place = cachePlaceOf(call, cache);
      if (publicPaths.includes(call.route.path)) hot.count(place.path);
      const asked = { call, cache, wishes, id: place.id, names: namesOf(place), label: place.label };
      return (run) => answer(asked, run);
    },
    /**
     * Fetches the public answers asked for most, so that the first callers of a new process need not wait: from Redis
     * when another process has them, else by their handlers. @param fetch sends a GET through the server
     */
    warmUp: async (fetch: (path: string) => Promise<unknown>): Promise<void> => {
      await follower.learned();
      const hottest = (await hot.hottest(maxWarmedUp)).filter((path) =>
        publicPaths.includes(path.split('?', 1)[0] ?? path),
      );
      // One after the other: a process that begins has better things to do.
      for (const path of new Set([...hottest, ...publicPaths].slice(0, maxWarmedUp)))
        await fetch(path).catch(() => undefined);
    },
    stop: hot.stop,
    view: () => ({
      ...statistics.view(),
      entries: memory.size,
      maxEntries: options.maxEntries,
      bytes: memory.calculatedSize,
      maxBytes: maxMemoryBytes,
      isServing: options.changes.isCurrent(),
      usesRedis: !shared.isResting() && follower.knowsPast(),
    }),
  };
};

export type ResponseCache = ReturnType<typeof createResponseCache>;
