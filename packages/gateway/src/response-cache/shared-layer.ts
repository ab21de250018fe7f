import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { SharedAnswer } from './kept-answer.ts';
import { openAnswer, sealAnswer, sealedName } from './seal-answer.ts';

/** Longer than this the handler is the faster way. */
const readTimeoutMs = 50;
/** After a failure Redis is left alone for so long, so that not every request waits for it. */
const restMs = 1_000;

export type SharedLayer = {
  /** Never fails and never waits more than 50 ms; undefined when there is nothing, or Redis does not answer. */
  read(id: string): Promise<SharedAnswer | undefined>;
  /** Never fails and is not waited for. */
  write(id: string, answer: SharedAnswer, ttlSeconds: number): void;
  isResting(): boolean;
};

export type SharedLayerOptions = { redis: Redis; secret: string; onFailure(): void };

/** The layer that the processes have in common: sealed answers under hashed names, each with its lifetime. */
export const createSharedLayer = ({ redis, secret, onFailure }: SharedLayerOptions): SharedLayer => {
  let restsUntilMs = -Infinity;
  const isResting = (): boolean => redis.status !== 'ready' || performance.now() < restsUntilMs;
  const rest = (): undefined => {
    restsUntilMs = performance.now() + restMs;
    onFailure();
  };

  const readInTime = async (name: string): Promise<Buffer | null | undefined> => {
    const late = new AbortController();
    const reading = redis.getBuffer(name);
    try {
      return await Promise.race([reading, pause(readTimeoutMs, undefined, { signal: late.signal }).then(rest)]);
    } catch {
      return rest();
    } finally {
      // Whoever lost the race still settles; nobody is left to hear it.
      reading.catch(() => undefined);
      late.abort();
    }
  };

  return {
    isResting,
    read: async (id) => {
      if (isResting()) return undefined;
      const name = sealedName(secret, id);
      const sealed = await readInTime(name);
      return sealed instanceof Buffer ? openAnswer(secret, name, sealed) : undefined;
    },
    write: (id, answer, ttlSeconds) => {
      if (isResting()) return;
      const name = sealedName(secret, id);
      void redis.set(name, sealAnswer(secret, name, answer), 'EX', ttlSeconds).catch(rest);
    },
  };
};
