import type { DeliveryStatus } from '../tables.ts';

/** A delivery in the order of its entity: by the time of the event, then by its id. */
export type Placed = { id: string; status: DeliveryStatus; occurredAtMs: number };

export type Written = Placed & { superseded: boolean; settledBy: string | null };
export type Settled = { id: string; status: DeliveryStatus; settledBy: string };

/** Whether later events of the entity settle it. */
export const isOpen = (status: DeliveryStatus): boolean => status === 'pending' || status === 'retrying';

const isBefore = (a: Placed, b: Placed): boolean =>
  a.occurredAtMs === b.occurredAtMs ? a.id < b.id : a.occurredAtMs < b.occurredAtMs;

/**
 * What the events of one entity mean for it and for each other, as if they were applied one after the other, oldest first:
 *
 * - the newest event settles the entity's earlier deliveries that are open (pending, retrying): they take its status;
 * - an event older than one already applied is superseded: if it is open itself, it takes the newer one's status;
 * - what was closed (success, failed) stays as it was: that is history.
 *
 * @param newest the newest event applied so far, if any
 * @param open the deliveries that are open so far
 * @returns how the events are to be written, and what becomes of `open`
 */
export const settleEntity = (
  newest: Placed | undefined,
  open: readonly Placed[],
  events: readonly Placed[],
): { written: Written[]; settled: Settled[] } => {
  const known: Written[] = open.map((delivery) => ({ ...delivery, superseded: false, settledBy: null }));
  const written: Written[] = [];
  let stillOpen = [...known];
  let latest = newest;
  for (const event of events.toSorted((a, b) => (isBefore(a, b) ? -1 : 1))) {
    const newer = latest !== undefined && isBefore(event, latest) ? latest : undefined;
    const takesOver = newer !== undefined && isOpen(event.status);
    const applied: Written = {
      ...event,
      status: takesOver ? newer.status : event.status,
      superseded: newer !== undefined,
      settledBy: takesOver ? newer.id : null,
    };
    if (newer === undefined) {
      for (const earlier of stillOpen.filter((delivery) => isBefore(delivery, event)))
        Object.assign(earlier, { status: event.status, settledBy: event.id });
      stillOpen = stillOpen.filter(({ status }) => isOpen(status));
      latest = applied;
    }
    written.push(applied);
    if (isOpen(applied.status)) stillOpen.push(applied);
  }
  const settled = known.flatMap(({ id, status, settledBy }) => (settledBy === null ? [] : [{ id, status, settledBy }]));
  return { written, settled };
};
