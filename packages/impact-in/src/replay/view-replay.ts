import type { Replay, ReplayFilter } from './replay.ts';
import type { ReplayView } from './schema.ts';

const textOf = (value: string | Date): string => (value instanceof Date ? value.toISOString() : value);

const viewFilter = (filter: ReplayFilter): Record<string, string> =>
  Object.fromEntries(
    Object.entries(filter).flatMap(([name, value]) => (value === undefined ? [] : [[name, textOf(value)]])),
  );

/** The replay as the API shows it. `rate` is measured once there is a second of work to measure. */
export const viewReplay = (replay: Replay, nowMs: number): ReplayView => {
  const { succeeded, failed, skipped, selected, inFlight, state, filter, workedMs } = replay;
  const done = succeeded + failed + skipped;
  const rate = workedMs < 1_000 ? null : Math.round(((done + inFlight) / workedMs) * 1_000_000) / 1_000;
  const pace = Math.min(rate === null || rate === 0 ? replay.ratePerSecond : rate, replay.ratePerSecond);
  const isUnderWay = state === 'running' && replay.isSelected;
  return {
    id: replay.id,
    kind: replay.kind,
    state,
    filter: filter === null ? null : viewFilter(filter),
    includeSucceeded: replay.includeSucceeded,
    ratePerSecond: replay.ratePerSecond,
    reason: replay.reason,
    requestedBy: { kind: replay.actorKind, id: replay.actorId },
    snapshotAt: replay.snapshotAt,
    selected,
    isSelected: replay.isSelected,
    done,
    succeeded,
    failed,
    skipped,
    inFlight,
    heldBy: replay.heldBy,
    rate,
    eta: isUnderWay ? new Date(nowMs + Math.ceil(((selected - done) / pace) * 1_000)) : null,
    lastError: replay.lastError,
    createdAt: replay.createdAt,
    startedAt: replay.startedAt,
    finishedAt: replay.finishedAt,
  };
};
