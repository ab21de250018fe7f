import type { Database, Sql } from '@impact-hub/core';
import type { StepDeps } from './advance-replay.ts';
import { failNextItem, isFaultOfData, noteTrouble } from './note-trouble.ts';
import { replayLimits, type ReplayKind, type ReplayState } from './replay.ts';
import type { ReplayMetrics } from './replay-metrics.ts';
import { stepReplay, type StepOptions } from './step-replay.ts';

type Deps = StepDeps & { db: Database; replayMetrics: ReplayMetrics };

type Open = { id: string; companyId: string; kind: ReplayKind; state: ReplayState; inFlight: number };

/** Beyond so many at once the rest has its turn a second later. */
const openAtOnce = 500;

const selectOpen = (sql: Sql): Promise<Open[]> => sql<Open[]>`
  select id, company_id as "companyId", kind, state, in_flight as "inFlight" from impact_in_replay
  where state in ('waiting', 'running') or in_flight > 0
  order by kind = 'one', created_at limit ${openAtOnce}`;

/** Whether the jobs that are due, without those that replays have started, are more than a moment's worth. */
const isBehind = async (sql: Sql, ofReplays: number): Promise<boolean> => {
  const limit = replayLimits.liveBacklog + ofReplays + 1;
  const [row] = await sql<{ due: number }[]>`
    select (select count(*)::int from (select from job where state = 'queued' and run_at <= now() limit ${limit}) queued)
         + (select count(*)::int from (select from job where state = 'dispatched' limit ${limit}) dispatched) as due`;
  return (row?.due ?? 0) >= limit;
};

/** Of each company the oldest one, as long as there is room; single deliveries always. */
export const chooseToStart = (open: readonly Pick<Open, 'id' | 'companyId' | 'kind' | 'state'>[]): Set<string> => {
  const chosen = new Set(open.filter(({ kind }) => kind === 'one').map(({ id }) => id));
  const queue = open.filter(({ kind }) => kind !== 'one');
  const busy = new Set(queue.filter(({ state }) => state === 'running').map(({ companyId }) => companyId));
  for (const { id, companyId, state } of queue) {
    if (state !== 'waiting' || busy.has(companyId) || busy.size >= replayLimits.runningAtOnce) continue;
    busy.add(companyId);
    chosen.add(id);
  }
  return chosen;
};

/** One step; its trouble is written down with the replay and never the caller's. @returns whether more can be done now */
const stepSafely = async (deps: Deps, replay: Open, options: StepOptions): Promise<boolean> => {
  try {
    const { tally, more } = await stepReplay(deps, replay, options);
    deps.replayMetrics.ended(tally);
    return more;
  } catch (error) {
    // Whatever this cannot write down either happens again in a second.
    const ignore = (): void => undefined;
    if (isFaultOfData(error) && options.batch > 1) return stepSafely(deps, replay, { ...options, batch: 1 });
    if (isFaultOfData(error)) {
      await failNextItem(deps, replay, error).catch(ignore);
      deps.replayMetrics.ended({ succeeded: 0, failed: 1, skipped: 0 });
      return true;
    }
    await noteTrouble(deps, replay, error).catch(ignore);
    return false;
  }
};

/**
 * Moves all replays on by what their rates allow: each in turn by one batch, until nothing is left to do or the time is
 * up. Run each second by the leader; running it twice at once is harmless.
 *
 * @param budgetMs after so long no further round is begun
 */
export const workReplays = async (deps: Deps, signal: AbortSignal, budgetMs = 900): Promise<void> => {
  const startedAtMs = performance.now();
  const open = await selectOpen(deps.db.systemSql);
  if (open.length === 0) return;
  const toStart = chooseToStart(open);
  const isHeld = await isBehind(
    deps.db.systemSql,
    open.reduce((sum, { inFlight }) => sum + inFlight, 0),
  );
  let active = open;
  while (active.length > 0 && !signal.aborted) {
    const again: Open[] = [];
    for (const replay of active) {
      if (signal.aborted) return;
      const options = { mayStart: toStart.has(replay.id), isHeld, batch: replayLimits.batch };
      if (await stepSafely(deps, replay, options)) again.push(replay);
    }
    active = performance.now() - startedAtMs < budgetMs ? again : [];
  }
};
