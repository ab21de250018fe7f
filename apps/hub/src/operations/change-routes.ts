import { publishChange, routeDefiner } from '@impact-hub/core';
import {
  everything,
  nameOfKey,
  nameOfPattern,
  nameOfTag,
  operatorTopic,
  removeExpiredRecords,
} from '@impact-hub/gateway';
import { access, audited } from './audited-change.ts';
import type { OperationsDeps } from './deps.ts';
import {
  clearCacheBody,
  clearedReplayView,
  clearedView,
  resetBreakersBody,
  resetBreakersView,
  type ClearCacheBody,
} from './schema.ts';

const defineRoute = routeDefiner<OperationsDeps>();
const resetBreakers = defineRoute({
  method: 'POST',
  path: '/api/health/circuit-breakers/reset',
  operationId: 'resetCircuitBreakers',
  summary: 'Close one circuit breaker, or all, in every process',
  access,
  input: { body: resetBreakersBody },
  output: { 200: resetBreakersView },
  handler: async (call) => {
    const name = call.input.body?.name;
    await audited(call, 'operations.circuit_breakers_reset', { name: name ?? null });
    return { name: name ?? null, known: call.deps.breakers.reset(name) };
  },
});

const nameToClear = ({ tag, pattern, key }: ClearCacheBody): string => {
  if (tag !== undefined) return nameOfTag(tag);
  if (pattern !== undefined) return nameOfPattern(pattern);
  return key === undefined ? everything : nameOfKey(key);
};

const clearCache = defineRoute({
  method: 'POST',
  path: '/api/health/cache/clear',
  operationId: 'clearCache',
  summary: 'Declare kept answers stale, in every process: by tag, pattern or key, or all',
  access,
  input: { body: clearCacheBody },
  output: { 200: clearedView },
  handler: async (call) => {
    const body = call.input.body ?? {};
    await audited(call, 'operations.cache_cleared', { ...body }, (tx) =>
      publishChange(tx, operatorTopic, nameToClear(body)),
    );
    return { cleared: body.tag ?? body.pattern ?? body.key ?? 'everything' };
  },
});

const clearReplayProtection = defineRoute({
  method: 'POST',
  path: '/api/health/replay-protection/clear',
  operationId: 'clearReplayProtection',
  summary: 'Remove stored answers that have expired',
  description:
    'Removes only what protects from nothing any more: an answer that is still stored, and every remembered webhook' +
    ' event, stays, because without it a repetition would have a second effect.',
  access,
  output: { 200: clearedReplayView },
  handler: async (call) => {
    const { db, clock } = call.deps;
    const removedExpired = await removeExpiredRecords({ db, clock });
    await audited(call, 'operations.replay_protection_cleared', { removedExpired });
    return { removedExpired };
  },
});

export const changeRoutes = [resetBreakers, clearCache, clearReplayProtection];
