import type { Sql } from '@impact-hub/core';
import { createNotedTimes, type NotedTimes } from './note-times.ts';

/** Remembers when something new and authentic last came for an endpoint. */
export type HeardEndpoints = NotedTimes;

/** Short beside the shortest time after which an endpoint is said to be silent (90 s): a crash loses no more than this. */
const flushIntervalMs = 2_000;

/** @param sql a pool of the system role */
export const createHeardEndpoints = (sql: Sql, onError: (error: unknown) => void): HeardEndpoints =>
  createNotedTimes({
    write: (ids, timesMs) => sql`
      insert into impact_in_endpoint_heard as h (endpoint_id, company_id, heard_at)
      select e.id, e.company_id, to_timestamp(m.ms / 1000.0)
      from unnest(${[...ids]}::uuid[], ${[...timesMs]}::float8[]) as m (id, ms)
      join impact_in_endpoint e on e.id = m.id order by e.id
      on conflict (endpoint_id) do update set heard_at = excluded.heard_at where excluded.heard_at > h.heard_at`,
    everyMs: flushIntervalMs,
    onError,
  });
