import { recordAudits, type AuditEvent } from '@impact-hub/audit';
import type { Clock, Outbox, Tx } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import { applyAgain } from './apply-again.ts';
import { planItem, type ItemDelivery, type ItemPlan } from './plan-item.ts';
import { tallyOf, type ItemState, type Replay, type Tally } from './replay.ts';
import { restartProcessing } from './restart-processing.ts';
import { restartSending } from '../outbound/restart-sending.ts';

export type StepDeps = { crypto: Crypto; outbox: Outbox; clock: Clock };

type Planned = { id: string; delivery: ItemDelivery | undefined; plan: ItemPlan };
type Begun = Planned & { state: ItemState; reason: string | null };

const selectNext = async (tx: Tx, replay: Replay, limit: number): Promise<Planned[]> => {
  const rows = await tx.sql<(ItemDelivery & { itemId: string; id: string | null })[]>`
    select i.delivery_id as "itemId", d.id, d.direction, d.partner, d.status, d.outcome, d.attempts,
           d.processed_at as "processedAt", c.state as "connectionState"
    from impact_in_replay_item i
    left join impact_in_delivery d on d.id = i.delivery_id and d.company_id = i.company_id
    left join impact_in_outbound o on o.delivery_id = d.id
    left join impact_in_connection c on c.id = o.connection_id
    where i.replay_id = ${replay.id} and (${replay.workedTo}::uuid is null or i.delivery_id > ${replay.workedTo}::uuid)
    order by i.delivery_id limit ${limit}`;
  return rows.map(({ itemId, id, ...rest }) => {
    const delivery = id === null ? undefined : { id, ...rest };
    return { id: itemId, delivery, plan: planItem(delivery, replay.includeSucceeded) };
  });
};

const begin = async (tx: Tx, deps: StepDeps, replay: Replay, planned: readonly Planned[]): Promise<Begun[]> => {
  const idsOf = (action: ItemPlan['action']): string[] =>
    planned.filter(({ plan }) => plan.action === action).map(({ id }) => id);
  // In the order in which everybody takes these locks: jobs, entities, what is being sent.
  await restartProcessing(tx, idsOf('process'));
  const applied = await applyAgain(tx, deps, replay.id, idsOf('apply'));
  const toSend = idsOf('send');
  if (toSend.length > 0) await restartSending(tx, toSend);
  return planned.map((item): Begun => {
    if (item.plan.action === 'skip') return { ...item, state: 'skipped', reason: item.plan.reason };
    if (item.plan.action !== 'apply') return { ...item, state: 'started', reason: null };
    const reason = applied.get(item.id);
    return { ...item, state: reason === undefined ? 'succeeded' : 'failed', reason: reason ?? null };
  });
};

const writeItems = async (tx: Tx, replayId: string, begun: readonly Begun[], now: Date): Promise<void> => {
  const rows = begun.map(({ id, state, reason, delivery }) => ({
    id,
    state,
    reason,
    attempts: delivery?.attempts ?? null,
  }));
  await tx.sql`
    update impact_in_replay_item i set
      state = b.state, reason = b.reason, attempts_before = b.attempts, started_at = ${now}
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as b (id uuid, state text, reason text, attempts integer)
    where i.replay_id = ${replayId} and i.delivery_id = b.id and i.state = 'selected'`;
};

const auditOf = (replay: Replay, { id, delivery, plan, state, reason }: Begun): AuditEvent => ({
  type: 'impact_in.delivery.replayed',
  category: 'data',
  result: state === 'failed' ? 'failure' : 'success',
  actor: { kind: replay.actorKind, id: replay.actorId },
  resource: { type: 'impact_in_delivery', id },
  metadata: {
    replayId: replay.id,
    requestId: replay.requestId,
    why: replay.reason,
    partner: delivery?.partner ?? null,
    action: plan.action,
    ...(reason === null ? {} : { failure: reason }),
  },
});

/**
 * Begins the next deliveries of a replay: their effects, their audit events, the position and the counts are of this
 * one transaction. The replay's row must be locked.
 */
export const advanceReplay = async (
  tx: Tx,
  deps: StepDeps,
  replay: Replay,
  limit: number,
): Promise<{ begun: number; tally: Tally }> => {
  const planned = await selectNext(tx, replay, limit);
  const begun = await begin(tx, deps, replay, planned);
  await writeItems(tx, replay.id, begun, deps.clock.now());
  await recordAudits(
    tx,
    begun.filter(({ state }) => state !== 'skipped').map((item) => auditOf(replay, item)),
  );
  const tally = tallyOf(begun);
  const started = begun.filter(({ state }) => state === 'started').length;
  await tx.sql`
    update impact_in_replay set
      worked_to = coalesce(${begun.at(-1)?.id ?? null}::uuid, worked_to), in_flight = in_flight + ${started},
      succeeded = succeeded + ${tally.succeeded}, failed = failed + ${tally.failed}, skipped = skipped + ${tally.skipped}
    where id = ${replay.id}`;
  return { begun: begun.length, tally };
};
