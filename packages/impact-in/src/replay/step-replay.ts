import type { Database, Tx } from '@impact-hub/core';
import { advanceReplay, type StepDeps } from './advance-replay.ts';
import { finishReplay } from './finish-replay.ts';
import { addTallies, noTally, replayLimits, type Replay, type Tally } from './replay.ts';
import { lockReplay } from './replay-repository.ts';
import { settleItems } from './settle-items.ts';
import { writeNextItems } from './write-selection.ts';

/** Unused rate is kept for so long, so that a late step does not slow a replay down, and no longer. */
const burstMs = 2_000;
/** Longer pauses between two steps are no time of work. */
const longestStepMs = 5_000;

/** How many deliveries the rate lets a replay begin now. */
export const allowance = (replay: Pick<Replay, 'rateUsedTo' | 'ratePerSecond'>, nowMs: number) => {
  const fromMs = Math.max(replay.rateUsedTo?.getTime() ?? nowMs - burstMs / 2, nowMs - burstMs);
  return {
    count: Math.max(0, Math.floor(((nowMs - fromMs) * replay.ratePerSecond) / 1_000)),
    /** Up to when the rate is used up once so many have begun. */
    usedTo: (begun: number) => new Date(fromMs + Math.ceil((begun * 1_000) / replay.ratePerSecond)),
  };
};

export type Step = {
  tally: Tally;
  /** Another step may find something to do at once. */
  more: boolean;
};

/** A replay in the step that let it leave the queue, whether for the first time or after a pause. */
type Stepped = Replay & { justStarted?: boolean };

const startWaiting = async (tx: Tx, deps: StepDeps, replay: Replay): Promise<Stepped> => {
  const now = deps.clock.now();
  await tx.sql`
    update impact_in_replay set state = 'running', started_at = coalesce(started_at, ${now}), updated_at = ${now}
    where id = ${replay.id}`;
  return { ...replay, state: 'running', updatedAt: now, justStarted: true };
};

const hold = async (tx: Tx, replay: Replay, heldBy: Replay['heldBy'], now: Date): Promise<void> => {
  if (replay.heldBy === heldBy) return;
  await tx.sql`update impact_in_replay set held_by = ${heldBy}, updated_at = ${now} where id = ${replay.id}`;
};

/**
 * The time of work that a step stands for. The first step of a run begins what the rate allows for the time before it,
 * in which nothing was begun: without that time, each pause made the measured rate higher.
 */
const workedOf = (replay: Stepped, begun: number, now: Date): number => {
  const sinceMs = Math.max(0, Math.min(now.getTime() - replay.updatedAt.getTime(), longestStepMs));
  const isFirst = replay.justStarted === true || replay.rateUsedTo === null;
  return isFirst ? Math.max(sinceMs, Math.ceil((begun * 1_000) / replay.ratePerSecond)) : sinceMs;
};

const work = async (tx: Tx, deps: StepDeps, replay: Stepped, options: StepOptions): Promise<Step> => {
  const now = deps.clock.now();
  const { count, usedTo } = allowance(replay, now.getTime());
  const room = replayLimits.inFlight - replay.inFlight;
  const limit = Math.min(count, room, options.batch);
  if (limit <= 0) {
    if (room <= 0) await hold(tx, replay, 'own_deliveries', now);
    return { tally: noTally, more: false };
  }
  const { begun, tally } = await advanceReplay(tx, deps, replay, limit);
  const workedMs = workedOf(replay, begun, now);
  await tx.sql`
    update impact_in_replay set
      rate_used_to = ${usedTo(begun)}, worked_ms = least(2000000000, worked_ms + ${workedMs}),
      held_by = null, failing_since = null, last_error = null, updated_at = ${now}
    where id = ${replay.id}`;
  return { tally, more: begun === limit && count > limit };
};

export type StepOptions = {
  /** The replay may leave the queue. */
  mayStart: boolean;
  /** Live traffic goes first: what has been begun is counted, nothing is begun. */
  isHeld: boolean;
  /** Deliveries begun at most. */
  batch: number;
};

const stepIn = async (tx: Tx, deps: StepDeps, id: string, options: StepOptions): Promise<Step> => {
  const locked = await lockReplay(tx, id, { skipLocked: true });
  if (locked === undefined) return { tally: noTally, more: false };
  const settled = locked.inFlight > 0 ? await settleItems(tx, deps, locked) : noTally;
  const inFlight = locked.inFlight - settled.succeeded - settled.failed - settled.skipped;
  let replay: Stepped = { ...locked, inFlight };
  if (replay.state === 'waiting' && options.mayStart) replay = await startWaiting(tx, deps, replay);
  if (replay.state !== 'running') return { tally: settled, more: false };
  if (!replay.isSelected && replay.filter !== null) {
    await writeNextItems(tx, { ...replay, filter: replay.filter });
    return { tally: settled, more: true };
  }
  if (options.isHeld) {
    await hold(tx, replay, 'live_traffic', deps.clock.now());
    return { tally: settled, more: false };
  }
  const { tally, more } = await work(tx, deps, replay, options);
  await finishReplay(tx, deps, id);
  return { tally: addTallies(settled, tally), more };
};

/**
 * Takes one step of a replay, in one transaction: what its jobs have done is counted, then the selection is written
 * down further, or the next deliveries are begun. Two processes at once do not get in each other's way.
 */
export const stepReplay = (
  deps: StepDeps & { db: Database },
  replay: { id: string; companyId: string },
  options: StepOptions,
): Promise<Step> => deps.db.company(replay.companyId, (tx) => stepIn(tx, deps, replay.id, options));
