import type { Sql } from '@impact-hub/core';
import { createKeyIdSet } from './key-id-set.ts';

/** Which key ids are known to exist; read once, then kept up by the change feed. Ids are never taken back. */
export type KeyIdDirectory = {
  has(keyId: string): boolean;
  /** Reads the ids unless they have been read; resolves when that has succeeded or failed. */
  load(): Promise<void>;
  /** A key was made or changed. */
  add(keyId: string): void;
  /** Changes were missed: what is known is thrown away. */
  clear(): void;
  size(): number;
};

/** Some 100 MB. Of an installation with more keys the rest counts as unknown, which matters only during a flood. */
const maxKeyIds = 8_000_000;
const rowsAtOnce = 20_000;
/** Between readings, so that a failing database is not asked by each question. */
const readAgainAfterMs = 1_000;

export const createKeyIdDirectory = (options: {
  sql: Sql;
  /** Monotone. */
  nowMs: () => number;
  onError(error: unknown): void;
}): KeyIdDirectory => {
  const { sql, nowMs, onError } = options;
  let ids = createKeyIdSet();
  let isLoaded = false;
  let loading: Promise<void> | undefined;
  let loadedAtMs = -Infinity;

  const read = async (): Promise<void> => {
    const into = ids;
    try {
      const rows = sql<{ keyId: string }[]>`select key_id as "keyId" from api_key limit ${maxKeyIds}`;
      for await (const some of rows.cursor(rowsAtOnce)) for (const { keyId } of some) into.add(keyId);
      // Thrown away meanwhile, it is read again when it is needed.
      isLoaded = into === ids;
    } catch (error) {
      onError(error);
    }
  };

  return {
    has: (keyId) => ids.has(keyId),
    load: async () => {
      if (isLoaded) return;
      if (loading === undefined && nowMs() - loadedAtMs >= readAgainAfterMs) {
        loadedAtMs = nowMs();
        loading = read().finally(() => (loading = undefined));
      }
      await loading;
    },
    add: (keyId) => {
      if (ids.size() < maxKeyIds) ids.add(keyId);
    },
    clear: () => {
      ids = createKeyIdSet();
      isLoaded = false;
    },
    size: () => ids.size(),
  };
};
