import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { newId, type Tx } from '@impact-hub/core';
import { advanceReplay, type StepDeps } from './advance-replay.ts';
import { finishReplay } from './finish-replay.ts';
import { tooManyReplays } from './problems.ts';
import { replayLimits, type Replay, type ReplayFilter, type ReplayKind, type ReplaySelection } from './replay.ts';
import { lockReplay } from './replay-repository.ts';
import { writeNamedItems, writeNextItems } from './write-selection.ts';

/** Who asks for a replay, for the audit log and the replay itself. */
export type ReplayMaker = { actor: AuditActor; request: { id: string; ip: string; userAgent: string | undefined } };

export type ReplayOrder = {
  kind: ReplayKind;
  selection: ReplaySelection;
  ratePerSecond: number;
  /** Outbound deliveries that succeeded are sent again, too. */
  includeSucceeded: boolean;
  reason: string | null;
};

/** One creation at a time per company, so that the count holds. */
const refuseTooMany = async (tx: Tx): Promise<void> => {
  await tx.sql`select pg_advisory_xact_lock(hashtextextended(${`impact-in replay ${tx.companyId}`}, 0))`;
  const [{ waiting } = { waiting: 0 }] = await tx.sql<{ waiting: number }[]>`
    select count(*)::int as waiting from impact_in_replay
    where company_id = ${tx.companyId} and state in ('waiting', 'running') and kind <> 'one'`;
  if (waiting > replayLimits.waitingPerCompany) throw tooManyReplays();
};

const insertReplay = async (tx: Tx, maker: ReplayMaker, order: ReplayOrder, now: Date): Promise<string> => {
  const id = newId();
  const { kind, selection, includeSucceeded, ratePerSecond, reason } = order;
  const filter = 'filter' in selection ? JSON.stringify(selection.filter) : null;
  await tx.sql`
    insert into impact_in_replay (
      id, company_id, kind, state, filter, include_succeeded, rate_per_second, actor_kind, actor_id, request_id, reason,
      snapshot_at, created_at, started_at, updated_at)
    values (
      ${id}, ${tx.companyId}, ${kind}, ${kind === 'one' ? 'running' : 'waiting'}, ${filter}::text::jsonb,
      ${includeSucceeded}, ${ratePerSecond}, ${maker.actor.kind}, ${maker.actor.id}, ${maker.request.id}, ${reason},
      ${now}, ${now}, ${kind === 'one' ? now : null}, ${now})`;
  return id;
};

const given = (filter: ReplayFilter) =>
  Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));

const lockNew = async (tx: Tx, id: string): Promise<Replay> => {
  const replay = await lockReplay(tx, id, { skipLocked: false });
  if (replay === undefined) throw new Error(`replay ${id} has vanished`);
  return replay;
};

const writeSelection = async (tx: Tx, replay: Replay, selection: ReplaySelection): Promise<void> => {
  if ('ids' in selection) await writeNamedItems(tx, replay.id, selection.ids);
  else await writeNextItems(tx, { ...replay, filter: selection.filter });
};

/**
 * Makes a replay and writes down what it selects, of a very large selection the beginning. A single delivery is begun
 * here and now; anything else waits for the next step, and for the company's replays before it.
 *
 * @throws ProblemError `impact_in.too_many_replays`
 */
export const createReplay = async (tx: Tx, deps: StepDeps, maker: ReplayMaker, order: ReplayOrder): Promise<Replay> => {
  if (order.kind !== 'one') await refuseTooMany(tx);
  const id = await insertReplay(tx, maker, order, deps.clock.now());
  await writeSelection(tx, await lockNew(tx, id), order.selection);
  const { selected } = await lockNew(tx, id);
  const { selection, kind, ratePerSecond, includeSucceeded, reason } = order;
  await recordAudit(tx, {
    type: 'impact_in.replay.created',
    category: 'data',
    actor: maker.actor,
    resource: { type: 'impact_in_replay', id },
    request: maker.request,
    metadata: {
      kind,
      ...('filter' in selection ? { filter: given(selection.filter) } : { named: selection.ids.length }),
      selected,
      ratePerSecond,
      includeSucceeded,
      why: reason,
    },
  });
  if (kind === 'one') {
    await advanceReplay(tx, deps, await lockNew(tx, id), 1);
    await finishReplay(tx, deps, id);
  }
  return lockNew(tx, id);
};
