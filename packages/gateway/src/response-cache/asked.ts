import type { Call, RouteCache } from '@impact-hub/core';
import type { CacheEvent, CacheOutcome } from './cache-statistics.ts';
import type { CacheWishes } from './request-cache-control.ts';

/** A call for a cached route, with all that decides what it may be answered with. */
export type Asked = {
  call: Call;
  cache: RouteCache;
  wishes: CacheWishes;
  /** Equal exactly for calls that may share an answer. */
  id: string;
  /** Readable, for operators' patterns. */
  label: string;
  /** All that can declare the answer stale, patterns apart. */
  names: readonly string[];
};

export type Count = (asked: Asked, what: CacheOutcome | CacheEvent) => void;
