import {
  newId,
  type ChangeFeed,
  type Clock,
  type Database,
  type Edge,
  type Logger,
  type MetricsRegistry,
} from '@impact-hub/core';
import type { Redis } from 'ioredis';
import { createCallerDirectory } from './caller-directory.ts';
import { createCompanyLimits } from './company-limits.ts';
import { createDecision } from './decide-request.ts';
import { createLimitMetrics } from './limit-metrics.ts';
import { writeHeaders } from './rate-limit-headers.ts';
import { createSharedRedis } from './shared-redis.ts';
import { createTokenLender, defineTakeTokens } from './token-lender.ts';

export type LimitsOptions = {
  redis: Redis;
  db: Pick<Database, 'systemSql'>;
  changes: Pick<ChangeFeed, 'subscribe' | 'isCurrent'>;
  clock: Clock;
  log: Logger;
  metrics: MetricsRegistry;
  /** Requests per minute of a company that has no limit of its own. */
  companyLimitPerMinute: number;
  /** How long a request waits for Redis; the first one that waits in vain is the last. */
  redisTimeoutMs?: number;
  /** Monotonic milliseconds; the process's own clock unless given. */
  nowMs?(): number;
};

export type Limits = { limit: NonNullable<Edge['limit']>; stop(): Promise<void> };

/**
 * The limits per key, per person and per company, shared by all processes through Redis: at most n requests in any
 * 60 s. No promise while tokens taken ahead last. Without Redis every process admits its part.
 */
export const createLimits = (options: LimitsOptions): Limits => {
  const { redis, clock, log, companyLimitPerMinute: defaultPerMinute } = options;
  const metrics = createLimitMetrics(options.metrics);
  const onError = (err: unknown): void => log.warn({ event: 'rate_limit.company_unread', err }, 'limit not read');
  const shared = createSharedRedis({
    redis,
    processId: newId(),
    timeoutMs: options.redisTimeoutMs ?? 100,
    log,
    metrics,
  });
  const companies = createCompanyLimits({
    sql: options.db.systemSql,
    changes: options.changes,
    defaultPerMinute,
    onError,
  });
  const nowMs = options.nowMs ?? ((): number => performance.now());
  const onUnexpected = (err: unknown): void => log.error({ event: 'rate_limit.failed', err }, 'decided without Redis');
  defineTakeTokens(redis);
  const lender = createTokenLender({ shared, companies, metrics, unixMs: clock.nowMs, nowMs, onError: onUnexpected });
  const callerOf = createCallerDirectory({ companies, onNew: shared.start });
  const decide = createDecision({ shared, lender, metrics, nowMs, unixMs: clock.nowMs });

  return {
    limit: (_request, response, principal) => {
      if (principal.kind === 'anonymous') return undefined;
      const caller = callerOf(principal);
      if (caller.left === 0 || nowMs() >= caller.validUntilMs) return decide(response, caller);
      caller.left -= 1;
      caller.company.remaining -= 1;
      writeHeaders(response, caller);
      if (caller.left <= caller.refillAt) lender.refill(caller);
      return undefined;
    },
    stop: async () => {
      lender.stop();
      await shared.stop();
    },
  };
};
