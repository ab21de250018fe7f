import type { Answer, Call, RouteCache } from '@impact-hub/core';
import { matchesEntityTag } from './entity-tag.ts';
import type { KeptAnswer } from './kept-answer.ts';

const credentialHeaders = 'X-API-Key, Authorization, Cookie';

/**
 * What the caller's own cache may do. What a change can make stale has to be asked for again each time (which a 304
 * makes cheap): our invalidations do not reach it. What only grows old may be kept until it is.
 */
const cacheControlOf = (cache: RouteCache, ageSeconds: number): string => {
  const scope = cache.sharedBy === 'everybody' ? 'public' : 'private';
  if (cache.tags.length > 0) return `${scope}, max-age=0, must-revalidate`;
  return `${scope}, max-age=${Math.max(0, cache.ttlSeconds - ageSeconds)}`;
};

/** Whole seconds since an answer was made. */
export const ageSecondsOf = (kept: KeptAnswer, nowMs: number): number =>
  Math.max(0, Math.floor((nowMs - kept.storedAtMs) / 1_000));

/** A kept answer for this caller: whole, or 304 when the caller has it already. */
export const presentAnswer = (
  { request }: Call,
  cache: RouteCache,
  kept: KeptAnswer,
  { nowMs, source }: { nowMs: number; source: string },
): Answer => {
  const ageSeconds = ageSecondsOf(kept, nowMs);
  const headers: Answer['headers'] = {
    ...kept.headers,
    etag: kept.etag,
    'cache-control': cacheControlOf(cache, ageSeconds),
    'x-cache': source,
  };
  if (cache.sharedBy !== 'everybody') headers['vary'] = credentialHeaders;
  if (source === 'memory' || source === 'redis') headers['age'] = String(ageSeconds);
  if (matchesEntityTag(request.headers['if-none-match'], kept.etag)) return { status: 304, headers, body: '' };
  return { status: 200, headers, body: kept.body };
};
