import type { Sql } from '@impact-hub/core';
import { createNotedTimes, type NotedTimes } from './note-times.ts';

/** Remembers which secrets are in use, so that an operator sees when an old one is idle. */
export type MatchedSecrets = NotedTimes;

const flushIntervalMs = 15_000;
const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

/** Notes ids of stored secrets; anything else, such as a partner's own key, is ignored. Losing one to a crash is harmless. */
export const createMatchedSecrets = (sql: Sql, onError: (error: unknown) => void): MatchedSecrets => {
  const times = createNotedTimes({
    write: (ids, timesMs) => sql`
      update impact_in_endpoint_secret s
      set last_matched_at = greatest(s.last_matched_at, to_timestamp(m.ms / 1000.0))
      from unnest(${[...ids]}::uuid[], ${[...timesMs]}::float8[]) as m (id, ms)
      where s.id = m.id`,
    everyMs: flushIntervalMs,
    onError,
  });
  return {
    ...times,
    note: (secretId, atMs) => {
      if (uuid.test(secretId)) times.note(secretId, atMs);
    },
  };
};
