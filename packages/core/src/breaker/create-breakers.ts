import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import { breakerOptions, type BreakerOptions } from './breaker-options.ts';
import { createBreaker, type Breaker, type BreakerView } from './create-breaker.ts';
import { registerBreakerMetrics } from './register-breaker-metrics.ts';
import { shareCircuits, type SharedCircuits } from './share-circuits.ts';

export type Breakers = {
  /** The breaker of a dependency, made at its first mention; options given later than that are taken over. */
  get(name: string, options?: Partial<BreakerOptions>): Breaker;
  /** Every breaker this process knows, by name. */
  list(): BreakerView[];
  /**
   * Closes one circuit, or all, in every process.
   * @returns false when this process knows no such breaker; the others are told nevertheless
   */
  reset(name?: string): boolean;
  /**
   * Drops a circuit whose dependency is no more, or is another one now, in every process that can be told. What is
   * under way through it concerns nobody; mentioned again, it begins anew.
   */
  forget(name: string): void;
  stop(): void;
};

export type BreakersDeps = { redis?: Redis; clock: Clock; metrics: MetricsRegistry; log: Logger };

/** The circuit breakers of this process, shared with the others through Redis when there is one. */
export const createBreakers = ({ redis, clock, metrics, log }: BreakersDeps): Breakers => {
  const known = new Map<string, Breaker>();
  let shared: SharedCircuits | undefined;

  const readShared = async (breaker: Breaker): Promise<void> => {
    const { state, retryAfterMs } = breaker.view();
    if (state === 'open') return shared?.tell(breaker.name, { state, remainingMs: retryAfterMs });
    const remainingMs = (await shared?.remainingMs(breaker.name)) ?? 0;
    if (remainingMs > 0) breaker.adopt({ state: 'open', remainingMs });
  };
  const get: Breakers['get'] = (name, options) => {
    const existing = known.get(name);
    if (existing !== undefined) {
      if (options !== undefined) existing.configure(breakerOptions(options));
      return existing;
    }
    const tell: SharedCircuits['tell'] = (...news) => {
      if (known.get(name) === breaker) shared?.tell(...news);
    };
    const breaker: Breaker = createBreaker({ name, options: breakerOptions(options), clock, log, tell });
    known.set(name, breaker);
    if (shared !== undefined) void readShared(breaker);
    return breaker;
  };

  /** Somebody who may not know all of ours has reset all. */
  const closeAll = (): void => {
    for (const breaker of known.values()) {
      breaker.adopt({ state: 'closed' });
      shared?.forget(breaker.name);
    }
  };
  if (redis !== undefined)
    shared = shareCircuits(
      redis,
      (name, news) => {
        if (name === null) closeAll();
        else if (news.state === 'forgotten') known.delete(name);
        else if (news.state === 'open' || known.has(name)) get(name).adopt(news);
      },
      () => known.forEach((breaker) => void readShared(breaker)),
    );
  registerBreakerMetrics(metrics, known);

  return {
    get,
    list: () => [...known.values()].map((breaker) => breaker.view()).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    reset: (name) => {
      const ours = name === undefined ? [...known.values()] : [known.get(name)].filter((one) => one !== undefined);
      for (const breaker of ours) breaker.reset();
      if (name === undefined || ours.length === 0) shared?.tell(name ?? null, { state: 'closed' });
      return name === undefined || ours.length > 0;
    },
    forget: (name) => {
      known.delete(name);
      shared?.tell(name, { state: 'forgotten' });
    },
    stop: () => shared?.stop(),
  };
};
