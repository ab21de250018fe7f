import { recordAudit } from '@impact-hub/audit';
import type { Clock, Database } from '@impact-hub/core';
import { replayLimits } from './replay.ts';

/** SQLSTATE classes of what one row can be to blame for: 22 data exception, 23 integrity constraint violation. */
export const isFaultOfData = (error: unknown): boolean => {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^2[23][0-9A-Z]{3}$/.test(code);
};

/** Names the fault without quoting data. */
export const nameOfFault = (error: unknown): string => {
  const { name, code } = error as { name?: string; code?: unknown };
  return `${name ?? 'Error'}${typeof code === 'string' ? ` ${code}` : ''}`;
};

type Deps = { db: Database; clock: Clock };
type Which = { id: string; companyId: string };

/** Writes down that a step failed; a replay that has failed for a quarter of an hour ends, and can be resumed. */
export const noteTrouble = (deps: Deps, replay: Which, error: unknown): Promise<void> =>
  deps.db.company(replay.companyId, async (tx) => {
    const now = deps.clock.now();
    const until = new Date(now.getTime() - replayLimits.failingMs);
    const [noted] = await tx.sql<{ state: string }[]>`
      update impact_in_replay set
        failing_since = coalesce(failing_since, ${now}), last_error = ${nameOfFault(error)}, updated_at = ${now},
        state = case when failing_since < ${until} then 'failed' else state end,
        finished_at = case when failing_since < ${until} then ${now}::timestamptz end
      where id = ${replay.id} and state in ('waiting', 'running')
      returning state`;
    if (noted?.state !== 'failed') return;
    await recordAudit(tx, {
      type: 'impact_in.replay.failed',
      category: 'data',
      severity: 'warning',
      result: 'failure',
      actor: { kind: 'system', id: 'impact-in' },
      resource: { type: 'impact_in_replay', id: replay.id },
      metadata: { reason: nameOfFault(error) },
    });
  });

/** Leaves out the next delivery of a replay, which the database refuses, so that it does not hold up the others. */
export const failNextItem = (deps: Deps, replay: Which, error: unknown): Promise<void> =>
  deps.db.company(replay.companyId, async (tx) => {
    await tx.sql`
      with next as (
        select r.id, i.delivery_id from impact_in_replay r
        join lateral (
          select delivery_id from impact_in_replay_item
          where replay_id = r.id and (r.worked_to is null or delivery_id > r.worked_to) order by delivery_id limit 1
        ) i on true
        where r.id = ${replay.id} and r.state = 'running' for update of r
      ), item as (
        update impact_in_replay_item i
        set state = 'failed', reason = ${`the database refuses it: ${nameOfFault(error)}`}, started_at = ${deps.clock.now()}
        from next where i.replay_id = next.id and i.delivery_id = next.delivery_id and i.state = 'selected'
        returning i.delivery_id
      )
      update impact_in_replay r set failed = r.failed + 1, worked_to = item.delivery_id from item where r.id = ${replay.id}`;
  });
