import type { StoredKey } from './read-stored-key.ts';

/** A read and whether it may be remembered: false when the key changed after the read had begun. */
type KeyRead = { key: StoredKey | null; isFresh(): boolean };

export type KeyReader = {
  read(keyId: string, options: { join: boolean }): Promise<KeyRead>;
  /** The key has changed: reads under way are out of date from now on. */
  invalidate(keyId: string): void;
};

type Flight = { stale: boolean; key: Promise<StoredKey | null> };

/** A key that changes faster than it can be read is answered from the last read and not remembered. */
const maxReads = 3;

/**
 * Reads keys so that callers at the same time share one query, and so that nobody is answered from a read that began
 * before a change they could have known of: an invalidated flight is left by everyone who waits for it.
 */
export const createKeyReader = (load: (keyId: string) => Promise<StoredKey | null>): KeyReader => {
  const flights = new Map<string, Set<Flight>>();
  const joinable = new Map<string, Flight>();

  const take = (keyId: string): Flight => {
    const flight: Flight = { stale: false, key: load(keyId) };
    const under = flights.get(keyId) ?? new Set();
    flights.set(keyId, under.add(flight));
    const land = (): void => {
      under.delete(flight);
      if (under.size === 0) flights.delete(keyId);
      if (joinable.get(keyId) === flight) joinable.delete(keyId);
    };
    flight.key.then(land, land);
    return flight;
  };

  return {
    read: async (keyId, { join }) => {
      for (let reads = 1; ; reads += 1) {
        const shared = join ? joinable.get(keyId) : undefined;
        const flight = shared ?? take(keyId);
        if (join) joinable.set(keyId, flight);
        const key = await flight.key;
        if (!flight.stale || reads >= maxReads) return { key, isFresh: () => !flight.stale };
      }
    },
    invalidate: (keyId) => {
      for (const flight of flights.get(keyId) ?? []) flight.stale = true;
      joinable.delete(keyId);
    },
  };
};
