import { recordAudit } from '@impact-hub/audit';
import type { Clock, Tx } from '@impact-hub/core';

type Ended = { selected: number; succeeded: number; failed: number; skipped: number };

/**
 * Ends a running replay of which everything has been begun and has ended; nothing happens otherwise. The replay's row
 * must be locked.
 */
export const finishReplay = async (tx: Tx, deps: { clock: Clock }, id: string): Promise<boolean> => {
  const now = deps.clock.now();
  const [ended] = await tx.sql<Ended[]>`
    update impact_in_replay set state = 'done', held_by = null, finished_at = ${now}, updated_at = ${now}
    where id = ${id} and state = 'running' and is_selected and in_flight = 0 and succeeded + failed + skipped = selected
    returning selected, succeeded, failed, skipped`;
  if (ended === undefined) return false;
  await recordAudit(tx, {
    type: 'impact_in.replay.finished',
    category: 'data',
    actor: { kind: 'system', id: 'impact-in' },
    resource: { type: 'impact_in_replay', id },
    metadata: ended,
  });
  return true;
};
