import { createLogger, createMetrics, newId, systemClock, type CompanyPrincipal, type Sql } from '@impact-hub/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Redis } from 'ioredis';
import { createLimits, type LimitsOptions } from './create-limits.ts';

/** A key's principal with the given limit. */
export const limitedKey = (companyId: string, rateLimitPerMinute: number, keyId = newId().slice(-12)) =>
  ({
    kind: 'api_key',
    keyId,
    secretId: newId(),
    companyId,
    environment: 'live',
    scopes: new Set<string>(),
    rateLimitPerMinute,
  }) satisfies CompanyPrincipal;

/** One process's limiter on a connection as the hub's, asked without a server around it. */
export const openLimits = async (
  redisUrl: string,
  systemSql: Sql,
  overrides: Partial<LimitsOptions> & { onLog?(line: Record<string, unknown>): void } = {},
) => {
  const redis = new Redis(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 2_000,
    retryStrategy: () => 50,
    lazyConnect: true,
  });
  redis.on('error', () => undefined);
  await redis.connect();
  const metrics = createMetrics();
  const { onLog = () => undefined, ...rest } = overrides;
  const limits = createLimits({
    redis,
    db: { systemSql },
    changes: { subscribe: () => undefined, isCurrent: () => true },
    clock: systemClock,
    log: createLogger({ level: 'info' }, { write: (line) => onLog(JSON.parse(line) as Record<string, unknown>) }),
    metrics,
    companyLimitPerMinute: 1_200_000,
    // Long, so that a busy machine does not look like a lost Redis.
    redisTimeoutMs: 5_000,
    ...rest,
  });
  return {
    limits,
    metrics,
    /** Asks for one request. Rejects with the problem when it is refused. @returns the headers set */
    ask: async (principal: CompanyPrincipal): Promise<Record<string, string>> => {
      const headers: Record<string, string> = {};
      const response = {
        header: (name: string, value: string | number) => {
          headers[name] = String(value);
          return response;
        },
      };
      await limits.limit({} as FastifyRequest, response as unknown as FastifyReply, principal, {} as never);
      return headers;
    },
    close: async (): Promise<void> => {
      await limits.stop();
      redis.disconnect();
    },
  };
};

export type OpenLimits = Awaited<ReturnType<typeof openLimits>>;

/** Asks for `count` requests at once. @returns how many were admitted */
export const admittedOf = async (open: OpenLimits, principal: CompanyPrincipal, count: number): Promise<number> => {
  const asked = Array.from({ length: count }, () => open.ask(principal));
  return (await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled').length;
};
