import { recordAudit } from '@impact-hub/audit';
import type { Clock, Tx } from '@impact-hub/core';
import type { ReplayMaker } from './create-replay.ts';
import { replayNotFound, replayStateRefuses } from './problems.ts';
import type { Replay } from './replay.ts';
import { lockReplay } from './replay-repository.ts';
import { nextState, type ReplayChange } from './replay-state.ts';

const pastTense = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' } as const;

/**
 * Pauses, resumes or cancels a replay; asking again changes nothing. It takes hold between two steps: what a step has
 * begun goes on, and is still counted.
 *
 * @throws ProblemError `impact_in.replay_not_found` or `impact_in.replay_state_refuses`
 */
export const changeReplay = async (
  tx: Tx,
  deps: { clock: Clock },
  maker: ReplayMaker,
  asked: { id: string; change: ReplayChange },
): Promise<Replay> => {
  const { id, change } = asked;
  const replay = await lockReplay(tx, id, { skipLocked: false });
  if (replay === undefined) throw replayNotFound();
  const state = nextState(replay.state, change);
  if (state === undefined)
    throw replayStateRefuses({ detail: `The replay is ${replay.state} and cannot be ${pastTense[change]}.` });
  if (state === replay.state) return replay;
  const now = deps.clock.now();
  const changed = {
    state,
    heldBy: null,
    failingSince: null,
    finishedAt: state === 'cancelled' ? now : null,
    updatedAt: now,
  };
  await tx.sql`
    update impact_in_replay set
      state = ${state}, held_by = null, failing_since = null, finished_at = ${changed.finishedAt}, updated_at = ${now}
    where id = ${id}`;
  await recordAudit(tx, {
    type: `impact_in.replay.${pastTense[change]}`,
    category: 'data',
    actor: maker.actor,
    resource: { type: 'impact_in_replay', id },
    request: maker.request,
    changes: { state },
    metadata: {
      selected: replay.selected,
      succeeded: replay.succeeded,
      failed: replay.failed,
      skipped: replay.skipped,
    },
  });
  return { ...replay, ...changed };
};
