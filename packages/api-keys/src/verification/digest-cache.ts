import { LRUCache } from 'lru-cache';

/** What is known of presented keys, by digest; everything known of one key id can be forgotten at once. */
export type DigestCache<V extends object> = {
  get(digest: string): V | undefined;
  set(digest: string, keyId: string, value: V): void;
  forget(keyId: string): void;
  clear(): void;
  size(): number;
};

/** @param options.ttlMs entries older than this are gone; left out, they stay until forgotten or displaced */
export const createDigestCache = <V extends object>(options: {
  maxEntries: number;
  ttlMs?: number;
}): DigestCache<V> => {
  const digestsOfKey = new Map<string, Set<string>>();
  const keyOfDigest = new Map<string, string>();
  const entries = new LRUCache<string, V>({
    max: options.maxEntries,
    ...(options.ttlMs === undefined ? {} : { ttl: options.ttlMs }),
    noDisposeOnSet: true,
    dispose: (_value, digest) => {
      const keyId = keyOfDigest.get(digest);
      if (keyId === undefined) return;
      keyOfDigest.delete(digest);
      const digests = digestsOfKey.get(keyId);
      digests?.delete(digest);
      if (digests?.size === 0) digestsOfKey.delete(keyId);
    },
  });
  return {
    get: (digest) => entries.get(digest),
    set: (digest, keyId, value) => {
      entries.set(digest, value);
      keyOfDigest.set(digest, keyId);
      const digests = digestsOfKey.get(keyId);
      if (digests === undefined) digestsOfKey.set(keyId, new Set([digest]));
      else digests.add(digest);
    },
    forget: (keyId) => {
      for (const digest of digestsOfKey.get(keyId) ?? []) entries.delete(digest);
    },
    clear: () => entries.clear(),
    size: () => entries.size,
  };
};
