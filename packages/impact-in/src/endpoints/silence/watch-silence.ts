import { isDatabaseUnavailable, type Clock, type Database, type Outbox, type Sql, type Tx } from '@impact-hub/core';
import { endpointNotFound } from '../../problems.ts';
import { recordEndpointChange } from '../record-endpoint-change.ts';
import { lockEndpoint, updateEndpoint } from '../repository.ts';
import { catchUpSeconds, judgeSilence } from './judge-silence.ts';
import { noteWatching } from './note-watching.ts';

/** Event of the outbox; the payload is `{endpointId, silentSince}`. */
export const endpointSilent = 'impact_in.endpoint.silent';
/** Event of the outbox; the payload is `{endpointId, silentSince, heardAt}`. */
export const endpointHeardAgain = 'impact_in.endpoint.heard_again';

export type WatchDeps = { db: Database; clock: Clock; outbox: Outbox };

const watcher = { actor: { kind: 'system', id: 'impact-in' } } as const;
/** A run takes no longer than this many short transactions; the next one goes on. */
const maxPerRun = 500;

/** Endpoints about which there may be something to say; `judgeSilence` decides. Reads what is waited for, not receipts. */
const findDue = (sql: Sql, now: Date, listeningSince: Date) => sql<{ id: string; companyId: string }[]>`
  select e.id, e.company_id as "companyId"
  from impact_in_endpoint e left join impact_in_endpoint_heard h on h.endpoint_id = e.id,
    lateral (select e.expected_every_seconds + greatest(30, e.expected_every_seconds / 4.0) as seconds) patience
  where e.expected_every_seconds is not null and e.deleted_at is null and e.state = 'active' and case
    when e.silent_since is not null then h.heard_at > e.silent_since
    else greatest(h.heard_at, e.expected_since) + make_interval(secs => patience.seconds) < ${now}
         and ${listeningSince}::timestamptz + make_interval(secs => least(patience.seconds, ${catchUpSeconds})) < ${now} end
  order by e.id limit ${maxPerRun}`;

/** Says it once: the row is locked, and what is known is judged again. @returns whether there was something to say */
export const settleSilence = async (
  tx: Tx,
  deps: Omit<WatchDeps, 'db'>,
  endpointId: string,
  listeningSince: Date,
): Promise<boolean> => {
  const { endpoint, heardAt } = await lockEndpoint(tx, endpointId);
  const silence = judgeSilence(endpoint, heardAt, deps.clock.now(), listeningSince);
  if (silence.is === 'as_known') return false;
  const begun = silence.is === 'begun';
  const { since } = silence;
  const { partner, name, expectedEverySeconds } = endpoint;
  await updateEndpoint(tx, endpointId, { silentSince: begun ? since : null });
  const heard = begun ? {} : { heardAt: silence.heardAt.toISOString() };
  const type = begun ? endpointSilent : endpointHeardAgain;
  await deps.outbox.publish(tx, { type, payload: { endpointId, silentSince: since.toISOString(), ...heard } });
  await recordEndpointChange(tx, watcher, endpointId, {
    type,
    category: 'data',
    severity: begun ? 'warning' : 'info',
    metadata: { partner, name, expectedEverySeconds, silentSince: since, ...heard },
  });
  return true;
};

const wasDeleted = (error: unknown): boolean =>
  (error as { definition?: unknown }).definition === endpointNotFound.definition;

/**
 * Looks for endpoints whose partner has fallen silent or is heard again. Harmless to run twice at once. One endpoint
 * that cannot be settled does not keep the others waiting.
 *
 * @throws AggregateError when some could not be settled
 */
export const watchSilence = async (deps: WatchDeps, signal?: AbortSignal): Promise<void> => {
  const errors: unknown[] = [];
  const { db, clock } = deps;
  const listeningSince = await noteWatching(db.systemSql, clock.now());
  for (const { id, companyId } of await findDue(db.systemSql, clock.now(), listeningSince)) {
    if (signal?.aborted === true) return;
    try {
      await db.company(companyId, (tx) => settleSilence(tx, deps, id, listeningSince));
    } catch (error) {
      if (isDatabaseUnavailable(error)) throw error;
      if (!wasDeleted(error)) errors.push(error);
    }
  }
  // A run that took long is no gap.
  await noteWatching(db.systemSql, clock.now());
  if (errors.length > 0) throw new AggregateError(errors, 'the silence of some endpoints could not be settled');
};
