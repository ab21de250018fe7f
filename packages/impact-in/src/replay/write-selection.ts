import type { Tx } from '@impact-hub/core';
import { replayLimits, type Replay, type ReplayFilter } from './replay.ts';
import { matchesFilter, matchesIds } from './select-deliveries.ts';

/** Writes the named deliveries of the company down as the items of a replay, each once. */
export const writeNamedItems = async (tx: Tx, replayId: string, ids: readonly string[]): Promise<void> => {
  await tx.sql`
    with written as (
      insert into impact_in_replay_item (replay_id, delivery_id, company_id)
      select ${replayId}::uuid, d.id, d.company_id from impact_in_delivery d where ${matchesIds(tx, ids)}
      returning 1
    )
    update impact_in_replay set selected = (select count(*) from written), is_selected = true where id = ${replayId}`;
};

/**
 * Writes the next deliveries of a window down and moves the position in the same statement, so that a crash neither
 * skips nor repeats any. They are taken in the order of receipt, which never changes.
 */
export const writeNextItems = async (
  tx: Tx,
  replay: Pick<Replay, 'id' | 'snapshotAt'> & { filter: ReplayFilter },
  chunk: number = replayLimits.selectionChunk,
): Promise<void> => {
  await tx.sql`
    with chunk as (
      select d.id, d.company_id, d.received_at
      from impact_in_delivery d, impact_in_replay r
      where r.id = ${replay.id} and ${matchesFilter(tx, replay.filter, replay.snapshotAt)}
        and (r.selected_to_at is null or (d.received_at, d.id) > (r.selected_to_at, r.selected_to_id))
      order by d.received_at, d.id limit ${chunk}
    ), written as (
      insert into impact_in_replay_item (replay_id, delivery_id, company_id)
      select ${replay.id}::uuid, id, company_id from chunk
      returning 1
    ), last as (
      select received_at, id from chunk order by received_at desc, id desc limit 1
    )
    update impact_in_replay set
      selected = selected + (select count(*) from written),
      is_selected = (select count(*) from chunk) < ${chunk},
      selected_to_at = coalesce((select received_at from last), selected_to_at),
      selected_to_id = coalesce((select id from last), selected_to_id)
    where id = ${replay.id}`;
};
