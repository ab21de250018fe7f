import type { MetricsRegistry } from '@impact-hub/core';
import { Counter, Gauge, Histogram } from 'prom-client';

/** Whose limit it is. */
export type LimitName = 'key' | 'person' | 'company';

/** The limiter's figures in the process's registry. */
export const createLimitMetrics = (registry: MetricsRegistry) => {
  const registers = [registry];
  return {
    exceeded: new Counter({
      name: 'api_keys_rate_limit_exceeded_total',
      help: 'Requests refused by a rate limit, by whose limit it was.',
      labelNames: ['limit'],
      registers,
    }),
    degraded: new Gauge({
      name: 'rate_limit_degraded',
      help: '1 while Redis does not answer and this process limits by itself.',
      registers,
    }),
    processes: new Gauge({
      name: 'rate_limit_processes',
      help: 'Processes that share the limits, as last heard from Redis.',
      registers,
    }),
    redisSeconds: new Histogram({
      name: 'rate_limit_redis_seconds',
      help: 'Time until Redis had answered a request for tokens.',
      buckets: [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
      registers,
    }),
    leased: new Counter({
      name: 'rate_limit_leased_total',
      help: 'Tokens taken ahead of the requests that use them.',
      registers,
    }),
    unused: new Counter({
      name: 'rate_limit_lease_unused_total',
      help: 'Tokens taken ahead that no request used; they are given back.',
      registers,
    }),
  };
};

export type LimitMetrics = ReturnType<typeof createLimitMetrics>;
