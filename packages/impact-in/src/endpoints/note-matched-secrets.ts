import type { Sql } from '@impact-hub/core';

/** Remembers which secrets are in use, so that an operator sees when an old one is idle. */
export type MatchedSecrets = {
  /** @param secretId of a stored secret; anything else, such as a partner's own key, is ignored */
  note(secretId: string, atMs: number): void;
  /** Writes what was noted; called on a timer. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

const flushIntervalMs = 15_000;
const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** One update per secret and interval, off the path of the webhooks. Losing one to a crash is harmless. */
export const createMatchedSecrets = (sql: Sql, onError: (error: unknown) => void): MatchedSecrets => {
  const noted = new Map<string, number>();

  const flush = async (): Promise<void> => {
    if (noted.size === 0) return;
    const entries = [...noted];
    noted.clear();
    await sql`
      update impact_in_endpoint_secret s
      set last_matched_at = greatest(s.last_matched_at, to_timestamp(m.ms / 1000.0))
      from unnest(${entries.map(([id]) => id)}::uuid[], ${entries.map(([, ms]) => ms)}::float8[]) as m (id, ms)
      where s.id = m.id`;
  };
  const timer = setInterval(() => void flush().catch(onError), flushIntervalMs).unref();
  return {
    note: (secretId, atMs) => {
      if (uuid.test(secretId)) noted.set(secretId, atMs);
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush().catch(onError);
    },
  };
};
