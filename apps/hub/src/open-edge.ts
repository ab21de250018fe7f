import type { ApiKeyVerifier } from '@impact-hub/api-keys';
import type { Edge, Logger, Route } from '@impact-hub/core';
import { createIdempotency, createLimits } from '@impact-hub/gateway';
import type { Foundation } from './open-foundation.ts';
import type { openResponseCache } from './open-response-cache.ts';

type Options = {
  foundation: Foundation;
  log: Logger;
  apiKeys: Pick<ApiKeyVerifier, 'finished'>;
  responseCache: ReturnType<typeof openResponseCache>;
  companyLimitPerMinute: number;
  /** All routes of the hub. */
  routes: readonly Route<unknown>[];
};

/** What stands around every route besides access: limits before it, idempotency or the cache around its handler. */
export const openEdge = ({ foundation, log, apiKeys, responseCache, companyLimitPerMinute, routes }: Options) => {
  const { db, redis, changes, clock, metrics, derivedSecret } = foundation;
  const idempotency = createIdempotency({ db, clock, metrics, secret: derivedSecret('idempotency') });
  const limits = createLimits({ redis, db, changes, clock, log, metrics, companyLimitPerMinute });
  responseCache.follow(routes);
  const edge: Edge = {
    limit: limits.limit,
    around: (call) => idempotency.around(call) ?? responseCache.around(call),
    finished: apiKeys.finished,
  };
  return { edge, stop: limits.stop };
};
