import { LRUCache } from 'lru-cache';

/** Bounds how often a subject may make the hub look for keys that turn out wrong. */
export type MissLimiter = {
  /** Seconds until a look-up is allowed again; 0 when it is now. */
  secondsUntilAllowed(subject: string): number;
  /** A look-up is wrong, or will count as wrong until it is given back. */
  take(subject: string): void;
  giveBack(subject: string): void;
};

type Bucket = { tokens: number; atMs: number };

const maxSubjects = 10_000;

/**
 * A token bucket per subject, charged only for misses: callers with good keys never notice it.
 * @param options.nowMs monotone
 */
export const createMissLimiter = (options: {
  burst: number;
  refillPerSecond: number;
  nowMs: () => number;
}): MissLimiter => {
  const { burst, refillPerSecond, nowMs } = options;
  const buckets = new LRUCache<string, Bucket>({ max: maxSubjects });
  const refilled = (subject: string): Bucket => {
    const now = nowMs();
    const bucket = buckets.get(subject) ?? { tokens: burst, atMs: now };
    bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.atMs) / 1_000) * refillPerSecond);
    bucket.atMs = now;
    return bucket;
  };
  const add = (subject: string, tokens: number): void => {
    const bucket = refilled(subject);
    bucket.tokens = Math.min(burst, Math.max(0, bucket.tokens + tokens));
    buckets.set(subject, bucket);
  };
  return {
    secondsUntilAllowed: (subject) => {
      const { tokens } = refilled(subject);
      return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / refillPerSecond);
    },
    take: (subject) => add(subject, -1),
    giveBack: (subject) => add(subject, 1),
  };
};
