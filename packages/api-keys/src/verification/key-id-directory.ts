import type { Sql } from '@impact-hub/core';

/** Which key ids exist; read once when first asked for, then kept up by the change feed. */
export type KeyIdDirectory = {
  /** Whether a key of this id exists; false also when that cannot be told without a read per question. */
  has(keyId: string): Promise<boolean>;
  /** A key was made or changed. */
  add(keyId: string): void;
  /** Changes were missed: what is known is thrown away. */
  clear(): void;
};

/** About 20 MB. An installation with more keys goes without the directory. */
const maxKeyIds = 200_000;
/** Between readings, so that neither an overfull table nor a failing or unsteady feed makes one of each question. */
const readAgainAfterMs = 10_000;

export const createKeyIdDirectory = (options: {
  sql: Sql;
  isCurrent: () => boolean;
  /** Monotone. */
  nowMs: () => number;
  onError(error: unknown): void;
}): KeyIdDirectory => {
  const { sql, isCurrent, nowMs, onError } = options;
  let ids: Set<string> | undefined;
  let loading: Promise<void> | undefined;
  let loadedAtMs = -Infinity;

  const load = async (): Promise<void> => {
    // In place before the read begins, so that what the feed tells meanwhile is kept.
    const collected = new Set<string>();
    ids = collected;
    try {
      const rows = await sql<{ keyId: string }[]>`select key_id as "keyId" from api_key limit ${maxKeyIds + 1}`;
      if (rows.length <= maxKeyIds) for (const { keyId } of rows) collected.add(keyId);
      else if (ids === collected) ids = undefined;
    } catch (error) {
      if (ids === collected) ids = undefined;
      onError(error);
    }
  };

  return {
    has: async (keyId) => {
      if (!isCurrent()) return false;
      if (loading === undefined && ids === undefined && nowMs() - loadedAtMs >= readAgainAfterMs) {
        loadedAtMs = nowMs();
        loading = load().finally(() => (loading = undefined));
      }
      await loading;
      return ids?.has(keyId) ?? false;
    },
    add: (keyId) => void ids?.add(keyId),
    clear: () => (ids = undefined),
  };
};
