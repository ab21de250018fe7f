import type { Clock } from '@impact-hub/core';
import { LRUCache } from 'lru-cache';
import { eraseKey, type HeldKey } from './held-key.ts';

/**
 * Keys stay at most 60 s in a process (SCOPE CRY-4): 30 s here, and a sealer opened in the last moment of these lives
 * 30 s more.
 */
export const cachedForMs = 30_000;

export type KeyCache = {
  /**
   * Runs `work` with the key, loading it when it is not held; concurrent loads of one name are one load.
   * @returns undefined when there is no such key
   */
  use<T>(name: string, load: () => Promise<HeldKey | undefined>, work: (key: HeldKey) => T): Promise<T | undefined>;
  /** Forgets a key, and the answer of a load that is still under way. */
  forget(name: string): void;
  /** Erases what has expired. */
  sweep(): void;
  /** Erases everything. */
  clear(): void;
};

/** Bounded least-recently-used cache of unwrapped keys; whatever leaves it is overwritten with zeros. */
export const createKeyCache = (clock: Clock, maxKeys: number): KeyCache => {
  const held = new LRUCache<string, HeldKey>({
    max: maxKeys,
    ttl: cachedForMs,
    ttlResolution: 0,
    perf: { now: () => clock.nowMs() },
    dispose: eraseKey,
  });
  const loads = new Map<string, Promise<HeldKey | undefined>>();

  const loadOnce = (name: string, load: () => Promise<HeldKey | undefined>): Promise<HeldKey | undefined> => {
    const underWay = loads.get(name);
    if (underWay !== undefined) return underWay;
    const started = load().then(
      (key) => {
        const isCurrent = loads.get(name) === started;
        if (isCurrent) loads.delete(name);
        // A key that was forgotten while it was loading serves those who waited, and is erased in time like any other.
        if (key !== undefined) held.set(isCurrent ? name : `${name}#forgotten`, key);
        return key;
      },
      (error: unknown) => {
        if (loads.get(name) === started) loads.delete(name);
        throw error;
      },
    );
    loads.set(name, started);
    return started;
  };

  return {
    use: async (name, load, work) => {
      for (;;) {
        const key = held.get(name) ?? (await loadOnce(name, load));
        if (key === undefined) return undefined;
        // Evicted between the load and this continuation: load again rather than use zeros.
        if (!key.erased) return work(key);
      }
    },
    forget: (name) => {
      loads.delete(name);
      held.delete(name);
    },
    sweep: () => void held.purgeStale(),
    clear: () => {
      loads.clear();
      held.clear();
    },
  };
};
