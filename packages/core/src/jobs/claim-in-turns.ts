import type { Sql } from 'postgres';
import { newId } from '../ids.ts';
import type { Queues } from './open-queues.ts';
import { beforeLanes, claimQueued, lastLane, listLanes, listQueues } from './claim-jobs.ts';

export type ClaimWindow = {
  leaseSeconds: number;
  /** Jobs of one claim. */
  batchSize: number;
  /** Jobs of one queue that may wait in BullMQ: what a newcomer in another lane waits for at most. */
  windowJobs: number;
  /** Jobs of one company that are dispatched together. */
  groupSizeOf(queue: string): number;
  queues: Pick<Queues, 'countWaiting' | 'dispatch'>;
};

export type Turn = {
  /** Jobs handed over. */
  count: number;
  /** Something due may be left that there is room for. */
  more: boolean;
  /** There is something queued, and no room for it. */
  full: boolean;
};

const lanesPerTurn = 64;

const nothing: Turn = { count: 0, more: false, full: false };

/**
 * Claims due jobs and hands them over, so that lanes (companies, or what their jobs name within) take turns: each gets
 * an equal part of the room that is left, and where one turn ends the next one begins. A backlog so delays its own lane;
 * the others wait for what has been handed over, never for what is queued.
 */
export const createTurns = (sql: Sql, window: ClaimWindow): (() => Promise<Turn>) => {
  const cursors = new Map<string, string>();

  const turnOf = async (queue: string): Promise<Turn> => {
    const groupSize = window.groupSizeOf(queue);
    const groups = Math.ceil(window.windowJobs / groupSize) - (await window.queues.countWaiting(queue));
    if (groups <= 0) return { ...nothing, full: true };
    const limit = Math.min(lanesPerTurn, groups);
    const lanes = await listLanes(sql, queue, cursors.get(queue) ?? beforeLanes, limit);
    const isPageFull = lanes.length === limit;
    const last = lanes.at(-1)?.name ?? lastLane;
    if (isPageFull && last !== lastLane) cursors.set(queue, last);
    else cursors.delete(queue);
    const due = lanes.flatMap(({ name, due: isDue }) => (isDue ? [name] : []));
    if (due.length === 0) return { ...nothing, more: isPageFull };
    const rowsPerLane = Math.max(1, Math.floor(Math.min(window.batchSize, groups * groupSize) / due.length));
    const claim = { queue, lanes: due, rowsPerLane, groupSize, leaseSeconds: window.leaseSeconds };
    const claimed = await claimQueued(sql, claim, newId());
    if (claimed.length > 0) await window.queues.dispatch(claimed);
    return { count: claimed.length, more: isPageFull || claimed.length >= rowsPerLane, full: false };
  };

  return async () => {
    const turns: Turn[] = [];
    for (const queue of await listQueues(sql)) turns.push(await turnOf(queue));
    return {
      count: turns.reduce((sum, { count }) => sum + count, 0),
      more: turns.some(({ more }) => more),
      full: turns.some(({ full }) => full),
    };
  };
};
