import type { Database } from '@impact-hub/core';
import { replayLimits } from './replay.ts';

const replaysAtOnce = 20;

/**
 * Removes the single deliveries of replays that ended long ago; their counts stay, and the audit log has each of them.
 * A replay is removed from whole, so that its list is either complete or empty.
 */
export const forgetItems = async ({ db }: { db: Database }): Promise<void> => {
  await db.systemSql`
    delete from impact_in_replay_item where replay_id in (
      select id from impact_in_replay r
      where finished_at < now() - make_interval(days => ${replayLimits.itemsKeptDays})
        and exists (select from impact_in_replay_item i where i.replay_id = r.id)
      order by finished_at limit ${replaysAtOnce})`;
};
