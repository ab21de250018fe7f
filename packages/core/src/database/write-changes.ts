import type { TransactionSql } from 'postgres';

/** Something that processes may have cached is no longer so: a key under a topic. Nothing secret. */
export type Change = { topic: string; key: string };

export const changeChannel = 'hub_change';

/** Serialises writers, so that sequence order is commit order and a poll can never step over a late commit. */
const changeLockKey = 4_801_002_118;

/**
 * Writes changes to the feed, to be followed by the commit at once: from here to there writers wait for each other,
 * hence one statement. The numbers are drawn with the lock held.
 */
export const writeChanges = async (sql: TransactionSql, changes: readonly Change[]): Promise<void> => {
  await sql`
    with turn as materialized (select pg_advisory_xact_lock(${changeLockKey})),
    change as materialized (
      select topic, key from turn, unnest(
        ${changes.map(({ topic }) => topic)}::text[], ${changes.map(({ key }) => key)}::text[]) as c (topic, key)
    ),
    written as (insert into hub_change (topic, key) select topic, key from change)
    select pg_notify(${changeChannel}, json_build_array(topic, key)::text) from change`;
};
