import type { Sql } from '@impact-hub/core';

/** What one key did since the last flush. Held by the cache entry, so that counting is three assignments. */
export type Usage = { apiKeyId: string; calls: number; lastUsedAtMs: number; lastUsedIp: string };

export type UsageRecorder = {
  track(apiKeyId: string): Usage;
  count(usage: Usage, atMs: number, ip: string): void;
  flush(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Adds up in one statement what all keys did. Rows are locked in the order of their ids, so that two processes flushing
 * the same keys cannot block each other; the last use only moves forward.
 */
const addUsage = (sql: Sql, usages: readonly Usage[]) => sql`
  with used as (
    select * from unnest(${usages.map((usage) => usage.apiKeyId)}::uuid[], ${usages.map((usage) => usage.calls)}::bigint[],
      ${usages.map((usage) => new Date(usage.lastUsedAtMs).toISOString())}::timestamptz[],
      ${usages.map((usage) => usage.lastUsedIp)}::text[]) as u (api_key_id, calls, at, ip)
  ), locked as (
    select api_key_id from api_key_usage where api_key_id in (select api_key_id from used) order by api_key_id for update
  )
  update api_key_usage as stored set
    call_count = stored.call_count + used.calls,
    last_used_ip = case when stored.last_used_at is null or used.at >= stored.last_used_at
      then used.ip else stored.last_used_ip end,
    last_used_at = greatest(stored.last_used_at, used.at)
  from used join locked using (api_key_id)
  where stored.api_key_id = used.api_key_id`;

const merge = (usages: readonly Usage[]): Usage[] => {
  const byKey = new Map<string, Usage>();
  for (const usage of usages) {
    const merged = byKey.get(usage.apiKeyId);
    if (merged === undefined) byKey.set(usage.apiKeyId, { ...usage });
    else {
      merged.calls += usage.calls;
      if (usage.lastUsedAtMs >= merged.lastUsedAtMs)
        Object.assign(merged, { lastUsedAtMs: usage.lastUsedAtMs, lastUsedIp: usage.lastUsedIp });
    }
  }
  return [...byKey.values()];
};

/** Counts in memory and writes once per interval. A crash loses at most one interval of these statistics. */
export const createUsageRecorder = (options: {
  sql: Sql;
  flushIntervalMs: number;
  onError(error: unknown): void;
}): UsageRecorder => {
  let dirty: Usage[] = [];
  let flushing: Promise<void> = Promise.resolve();

  const writeDirty = async (): Promise<void> => {
    if (dirty.length === 0) return;
    const batch = merge(dirty);
    for (const usage of dirty) usage.calls = 0;
    dirty = [];
    try {
      await addUsage(options.sql, batch);
    } catch (error) {
      dirty.push(...batch);
      options.onError(error);
    }
  };
  const flush = (): Promise<void> => (flushing = flushing.then(writeDirty));
  const timer = setInterval(() => void flush(), options.flushIntervalMs);
  timer.unref();

  return {
    track: (apiKeyId) => ({ apiKeyId, calls: 0, lastUsedAtMs: 0, lastUsedIp: '' }),
    count: (usage, atMs, ip) => {
      if (usage.calls === 0) dirty.push(usage);
      usage.calls += 1;
      usage.lastUsedAtMs = atMs;
      usage.lastUsedIp = ip;
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
