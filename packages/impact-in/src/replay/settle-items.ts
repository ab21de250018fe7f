import type { Clock, Tx } from '@impact-hub/core';
import type { DeliveryRow } from '../tables.ts';
import { judgeItem } from './judge-item.ts';
import { replayLimits, tallyOf, type Replay, type Tally } from './replay.ts';

type Row = Pick<DeliveryRow, 'direction' | 'status' | 'outcome' | 'processedAt' | 'lastError'> & {
  id: string;
  isStored: boolean;
  wasAttempted: boolean;
};

/** A call that is under way counts as an attempt of an outbound delivery already, so there its end is waited for. */
const selectAttempted = (tx: Tx, replayId: string, silentSince: Date): Promise<Row[]> => tx.sql<Row[]>`
  select * from (
    select i.delivery_id as id, d.id is not null as "isStored", d.direction, d.status, d.outcome,
           d.processed_at as "processedAt", d.last_error as "lastError", i.started_at as "startedAt",
           coalesce(case d.direction
             when 'inbound' then d.attempts > i.attempts_before
             else a.result <> 'started' or d.outcome in ('applied', 'dead')
           end, false) as "wasAttempted"
    from impact_in_replay_item i
    left join impact_in_delivery d on d.id = i.delivery_id and d.company_id = i.company_id
    left join impact_in_outbound_attempt a on a.delivery_id = i.delivery_id and a.number = i.attempts_before + 1
    where i.replay_id = ${replayId} and i.state = 'started'
  ) item
  where not "isStored" or "wasAttempted" or "startedAt" < ${silentSince}
  order by id limit ${replayLimits.inFlight}`;

/**
 * Writes down how the deliveries ended whose jobs a replay had started, and which attempt of theirs was its own. The
 * replay's row must be locked.
 */
export const settleItems = async (tx: Tx, deps: { clock: Clock }, replay: Pick<Replay, 'id'>): Promise<Tally> => {
  const silentSince = new Date(deps.clock.nowMs() - replayLimits.silentMs);
  const settled = (await selectAttempted(tx, replay.id, silentSince)).map((row) => ({
    id: row.id,
    ...judgeItem({ delivery: row.isStored ? row : undefined, wasAttempted: row.wasAttempted }),
  }));
  const tally = tallyOf(settled);
  if (settled.length === 0) return tally;
  await tx.sql`
    with settled as (
      select * from jsonb_to_recordset(${JSON.stringify(settled)}::text::jsonb) as s (id uuid, state text, reason text)
    ), item as (
      update impact_in_replay_item i set state = s.state, reason = s.reason
      from settled s where i.replay_id = ${replay.id} and i.delivery_id = s.id
      returning i.delivery_id, i.attempts_before
    ), attempt as (
      update impact_in_attempt a set replay_id = ${replay.id}
      from item where a.delivery_id = item.delivery_id and a.number = item.attempts_before + 1
    )
    update impact_in_replay set
      in_flight = in_flight - ${settled.length}, succeeded = succeeded + ${tally.succeeded},
      failed = failed + ${tally.failed}, skipped = skipped + ${tally.skipped}
    where id = ${replay.id}`;
  return tally;
};
