import { LRUCache } from 'lru-cache';
import { limitKeyOfIp } from '../ip-allow-list.ts';

/** Bounds how often one address may make the hub look for keys that turn out wrong. */
export type MissLimiter = {
  /** Seconds until a look-up is allowed again; 0 when it is now. */
  secondsUntilAllowed(ip: string): number;
  recordMiss(ip: string): void;
};

type Bucket = { tokens: number; atMs: number };

const burst = 60;
const refillPerSecond = 1;
const maxAddresses = 10_000;

/** A token bucket per address, charged only for misses: callers with good keys never notice it. @param nowMs monotone */
export const createMissLimiter = (nowMs: () => number): MissLimiter => {
  const buckets = new LRUCache<string, Bucket>({ max: maxAddresses });
  const refilled = (key: string): Bucket => {
    const now = nowMs();
    const bucket = buckets.get(key) ?? { tokens: burst, atMs: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) / 1_000) * refillPerSecond);
    bucket.atMs = now;
    return bucket;
  };
  return {
    secondsUntilAllowed: (ip) => {
      const { tokens } = refilled(limitKeyOfIp(ip));
      return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / refillPerSecond);
    },
    recordMiss: (ip) => {
      const key = limitKeyOfIp(ip);
      const bucket = refilled(key);
      bucket.tokens = Math.max(0, bucket.tokens - 1);
      buckets.set(key, bucket);
    },
  };
};
