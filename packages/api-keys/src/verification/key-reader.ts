import { LRUCache } from 'lru-cache';
import type { StoredKey } from './read-stored-key.ts';

/** A read, and whether it may still be acted on: false when the key changed since it began, or when it took too long. */
type KeyRead = { key: StoredKey | null; isFresh(): boolean };

type KeyReader = {
  /** What the last read of a key gave, when the key has not changed since; only for use while changes are heard. */
  remembered(keyId: string): StoredKey | undefined;
  /** Shares a read under way with `join`, only for use while changes are heard. */
  read(keyId: string, options: { join: boolean }): Promise<KeyRead>;
  /** The key has changed: reads under way are out of date from now on. */
  invalidate(keyId: string): void;
  /** Changes were missed: everything is out of date. */
  invalidateAll(): void;
};

type Flight = { stale: boolean; key: Promise<StoredKey | null> };

const maxRemembered = 10_000;
/**
 * What a read may take: as long as caches are trusted without proof. Of a slower one nobody knows whether changes were
 * lost meanwhile.
 */
const maxReadMs = 2_000;

/**
 * Reads keys so that callers at the same time share one query, and marks every read that began before a change: whoever
 * waits for one has to read again.
 * @param nowMs of a clock that goes on while the machine is suspended
 */
export const createKeyReader = (load: (keyId: string) => Promise<StoredKey | null>, nowMs: () => number): KeyReader => {
  const flights = new Map<string, Set<Flight>>();
  const joinable = new Map<string, Flight>();
  const remembered = new LRUCache<string, StoredKey>({ max: maxRemembered });

  const take = (keyId: string): Flight => {
    const startedAtMs = nowMs();
    const flight: Flight = { stale: false, key: load(keyId) };
    const under = flights.get(keyId) ?? new Set();
    flights.set(keyId, under.add(flight));
    const land = (key: StoredKey | null): void => {
      if (joinable.get(keyId) === flight) joinable.delete(keyId);
      if (Math.abs(nowMs() - startedAtMs) >= maxReadMs) flight.stale = true;
      if (!flight.stale && key !== null) remembered.set(keyId, key);
      // Only then: before it is acted on lie some microtasks, in which this very process may change the key.
      setImmediate(() => {
        under.delete(flight);
        if (under.size === 0 && flights.get(keyId) === under) flights.delete(keyId);
      });
    };
    flight.key.then(land, () => land(null));
    return flight;
  };
  const markStale = (under: ReadonlySet<Flight> = new Set()): void => {
    for (const flight of under) flight.stale = true;
  };

  return {
    remembered: (keyId) => remembered.get(keyId),
    read: async (keyId, { join }) => {
      const shared = join ? joinable.get(keyId) : undefined;
      const flight = shared ?? take(keyId);
      if (join) joinable.set(keyId, flight);
      const key = await flight.key;
      return { key, isFresh: () => !flight.stale };
    },
    invalidate: (keyId) => {
      markStale(flights.get(keyId));
      joinable.delete(keyId);
      remembered.delete(keyId);
    },
    invalidateAll: () => {
      for (const under of flights.values()) markStale(under);
      joinable.clear();
      remembered.clear();
    },
  };
};
