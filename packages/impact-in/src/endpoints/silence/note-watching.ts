import type { Sql } from '@impact-hub/core';

/** Three runs that did not happen: the hub was stopped, its database away, or its clock has jumped. */
const gapSeconds = 30;

/**
 * Notes that somebody watches now. Kept in the database, so that a restart without a gap changes nothing.
 *
 * @param sql a pool of the system role
 * @returns since when it has been watched without a gap, hence since when partners could be heard
 */
export const noteWatching = async (sql: Sql, now: Date): Promise<Date> => {
  const [row] = await sql<{ since: Date }[]>`
    insert into impact_in_silence_watch as w (watched_at, listening_since) values (${now}, ${now})
    on conflict (only_row) do update set
      watched_at = excluded.watched_at,
      listening_since = case
        when excluded.watched_at > w.watched_at + make_interval(secs => ${gapSeconds}) then excluded.watched_at
        else least(w.listening_since, excluded.watched_at) end
    returning listening_since as since`;
  return row?.since ?? now;
};
