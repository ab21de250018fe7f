import { metricFamily, type MetricsRegistry } from '@impact-hub/core';
import { Counter } from 'prom-client';

/**
 * How a request was answered: from either layer, by waiting for a like one that was under way (`joined`), by the handler
 * (`miss`), by the handler at the caller's wish (`refresh`) or past the cache (`bypass`).
 */
export const cacheOutcomes = ['memory', 'redis', 'joined', 'miss', 'refresh', 'bypass'] as const;
export type CacheOutcome = (typeof cacheOutcomes)[number];

/** Besides: answers 304, answers found but stale, answers kept, and answers not kept because something changed meanwhile. */
export const cacheEvents = ['notModified', 'staleRefused', 'stored', 'overtaken'] as const;
export type CacheEvent = (typeof cacheEvents)[number];

export type OperationFigures = Record<CacheOutcome | CacheEvent, number>;

const names = [...cacheOutcomes, ...cacheEvents];

const figuresOf = (of: (name: CacheOutcome | CacheEvent) => number): OperationFigures =>
  Object.fromEntries(names.map((name) => [name, of(name)])) as OperationFigures;

const nothing = figuresOf(() => 0);

type Sizes = { entries(): number; bytes(): number };

/** Figures per operation since the start or the last reset; those for Prometheus only ever grow. */
export const createCacheStatistics = (registry: MetricsRegistry, sizes: Sizes) => {
  const totals = new Map<string, OperationFigures>();
  let atReset: ReadonlyMap<string, OperationFigures> = new Map();
  let sinceMs = Date.now();
  let invalidations = 0;
  const metrics = metricFamily(registry);
  new Counter({
    name: 'response_cache_total',
    help: 'Requests for cached operations by how they were answered, and what happened to kept answers.',
    labelNames: ['operation', 'outcome'],
    registers: [registry],
    // Read when scraped: prom-client hashes the labels of each count, and every answer passes here.
    collect() {
      this.reset();
      for (const [operation, own] of totals)
        for (const outcome of names) if (own[outcome] > 0) this.inc({ operation, outcome }, own[outcome]);
    },
  });
  const invalidated = metrics.counter(
    'response_cache_invalidations_total',
    'Changes and wishes of operators heard that make kept answers stale; each comes by several ways.',
  );
  const failures = metrics.counter(
    'response_cache_redis_failures_total',
    'Reads and writes of kept answers that Redis did not answer in time.',
  );
  metrics.gauge('response_cache_entries', 'Answers this process holds in memory.', sizes.entries);
  metrics.gauge('response_cache_bytes', 'Size of the answers this process holds in memory.', sizes.bytes);

  return {
    count: (operationId: string, what: CacheOutcome | CacheEvent): void => {
      let own = totals.get(operationId);
      if (own === undefined) totals.set(operationId, (own = { ...nothing }));
      own[what] += 1;
    },
    invalidated: (): void => {
      invalidations += 1;
      invalidated.inc();
    },
    redisFailed: (): void => failures.inc(),
    reset: (): void => {
      atReset = new Map([...totals].map(([operationId, own]) => [operationId, { ...own }]));
      invalidations = 0;
      sinceMs = Date.now();
    },
    view: () => ({
      since: new Date(sinceMs),
      invalidations,
      operations: [...totals]
        .map(([operationId, own]) => {
          const before = atReset.get(operationId) ?? nothing;
          return { operationId, ...figuresOf((name) => own[name] - before[name]) };
        })
        .filter((since) => names.some((name) => since[name] > 0))
        .toSorted((a, b) => (a.operationId < b.operationId ? -1 : 1)),
    }),
  };
};
