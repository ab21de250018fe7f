import type { IncomingHttpHeaders } from 'node:http';

/** What a caller wants of caches on the way (RFC 9111 §5.2.1); other directives are ignored, as it allows. */
export type CacheWishes = {
  /** Run the handler, and keep its answer for others. */
  noCache: boolean;
  /** Neither take from the cache nor put into it. */
  noStore: boolean;
  /** Answer only from the cache. */
  onlyIfCached: boolean;
  /** Oldest acceptable answer, in seconds. */
  maxAgeSeconds: number;
};

const none: CacheWishes = Object.freeze({
  noCache: false,
  noStore: false,
  onlyIfCached: false,
  maxAgeSeconds: Infinity,
});
const maxAge = /^max-age="?(\d{1,10})"?$/;

/** Reads `Cache-Control`, or `Pragma` where there is none. Never fails: what cannot be understood has no effect. */
export const readCacheWishes = (headers: IncomingHttpHeaders): CacheWishes => {
  const text = headers['cache-control'] ?? headers.pragma;
  if (text === undefined) return none;
  const directives = text
    .toLowerCase()
    .split(',', 20)
    .map((part) => part.trim());
  const ages = directives.flatMap((directive) => maxAge.exec(directive)?.[1] ?? []);
  return {
    noCache: directives.includes('no-cache'),
    noStore: directives.includes('no-store'),
    onlyIfCached: directives.includes('only-if-cached'),
    maxAgeSeconds: Math.min(Infinity, ...ages.map(Number)),
  };
};
