import type { Cursor, Tx } from '@impact-hub/core';
import type { ItemState, Replay, ReplayFilter, ReplayKind, ReplayState } from './replay.ts';

type Stored = Omit<Replay, 'filter'> & {
  filter: (Omit<ReplayFilter, 'from' | 'to'> & { from?: string; to?: string }) | null;
};

const columns = (tx: Tx) => tx.sql`
  id, company_id as "companyId", kind, state, filter, include_succeeded as "includeSucceeded",
  rate_per_second as "ratePerSecond", actor_kind as "actorKind", actor_id as "actorId", request_id as "requestId",
  reason, snapshot_at as "snapshotAt", is_selected as "isSelected", worked_to as "workedTo", selected,
  in_flight as "inFlight", succeeded, failed, skipped, held_by as "heldBy", failing_since as "failingSince",
  last_error as "lastError", worked_ms as "workedMs", rate_used_to as "rateUsedTo", created_at as "createdAt",
  started_at as "startedAt", finished_at as "finishedAt", updated_at as "updatedAt"`;

const toReplay = ({ filter, ...row }: Stored): Replay => {
  if (filter === null) return { ...row, filter };
  const { from, to, ...rest } = filter;
  const times = {
    ...(from === undefined ? {} : { from: new Date(from) }),
    ...(to === undefined ? {} : { to: new Date(to) }),
  };
  return { ...row, filter: { ...rest, ...times } };
};

/** The replay as it is now, for reading. */
export const findReplay = async (tx: Tx, id: string): Promise<Replay | undefined> => {
  const [row] = await tx.sql<Stored[]>`
    select ${columns(tx)} from impact_in_replay where company_id = ${tx.companyId} and id = ${id}`;
  return row === undefined ? undefined : toReplay(row);
};

/** The replay, locked until the transaction ends. @param options.skipLocked finds nothing when another step has it */
export const lockReplay = async (tx: Tx, id: string, options: { skipLocked: boolean }): Promise<Replay | undefined> => {
  const [row] = await tx.sql<Stored[]>`
    select ${columns(tx)} from impact_in_replay where company_id = ${tx.companyId} and id = ${id}
    for update ${options.skipLocked ? tx.sql`skip locked` : tx.sql``}`;
  return row === undefined ? undefined : toReplay(row);
};

export const selectReplays = async (
  tx: Tx,
  filter: { state?: ReplayState | undefined; kind?: ReplayKind | undefined },
  page: { cursor: Cursor | undefined; limit: number },
): Promise<Replay[]> => {
  const { cursor, limit } = page;
  const rows = await tx.sql<Stored[]>`
    select ${columns(tx)} from impact_in_replay
    where company_id = ${tx.companyId}
      ${filter.state === undefined ? tx.sql`` : tx.sql`and state = ${filter.state}`}
      ${filter.kind === undefined ? tx.sql`` : tx.sql`and kind = ${filter.kind}`}
      ${cursor === undefined ? tx.sql`` : tx.sql`and (created_at, id) < (${new Date(cursor.atMs)}::timestamptz, ${cursor.id}::uuid)`}
    order by created_at desc, id desc limit ${limit + 1}`;
  return rows.map(toReplay);
};

export type Item = { deliveryId: string; state: ItemState; reason: string | null; startedAt: Date | null };

/** Items of a replay in the order of their ids, after the one named. */
export const selectItems = (
  tx: Tx,
  replayId: string,
  filter: { state?: ItemState | undefined },
  page: { after: string | undefined; limit: number },
): Promise<Item[]> => tx.sql<Item[]>`
  select delivery_id as "deliveryId", state, reason, started_at as "startedAt" from impact_in_replay_item
  where replay_id = ${replayId} and company_id = ${tx.companyId}
    ${filter.state === undefined ? tx.sql`` : tx.sql`and state = ${filter.state}`}
    ${page.after === undefined ? tx.sql`` : tx.sql`and delivery_id > ${page.after}::uuid`}
  order by delivery_id limit ${page.limit + 1}`;
