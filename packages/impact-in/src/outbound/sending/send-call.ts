import { BreakerOpenError, inSpan, type Permit } from '@impact-hub/core';
import { isFaultOfARow } from '../../inbox/write-batch.ts';
import { openConnection } from '../connections/open-connection.ts';
import type { OutboundEvent } from '../impact-event.ts';
import type { SendingDeps } from '../outbound-deps.ts';
import type { ConnectionRow } from '../tables.ts';
import { bareEnd, failed, type AttemptEnd } from './attempt-end.ts';
import { breakerNameOf, partnerBreaker } from './breaker-name.ts';
import { callPartner, type CallResult } from './call-partner.ts';
import { claimCall, type Claim } from './claim-call.ts';
import { exchangeContext, openEvent, outboundPurpose } from './outbound-event.ts';
import { recordEnds, type EndedAttempt } from './record-ends.ts';

export type SendTarget = { connectionId: string; companyId: string };

const postpone = (deps: SendingDeps, { companyId, connectionId }: SendTarget, delayMs: number) =>
  deps.db.company(companyId, async (tx) => {
    await tx.sql`
      update impact_in_connection set next_call_at = greatest(next_call_at, now() + make_interval(secs => ${delayMs / 1_000}))
      where id = ${connectionId}`;
  });

/** A circuit that only lets somebody else probe says 0; to ask again at once would be no pause. */
const minPauseMs = 500;

const noteOf = (result: CallResult): string =>
  [...result.ends.values()].find(({ end }) => end.errorClass !== null)?.end.errorClass ?? 'answered';

/** The same for all; so that it ends some time, even what is the hub's own fault fails like a call. */
const allFailed = ({ deliveries }: Claim, end: AttemptEnd): CallResult => ({
  ends: new Map(deliveries.map(({ deliveryId }) => [deliveryId, { end, exchange: null }])),
  health: 'cancel',
  pauseMs: null,
});

const open = async (deps: SendingDeps, { connection, deliveries }: Claim) => {
  const opened = await openConnection(deps.crypto, connection);
  const events: OutboundEvent[] = [];
  for (const delivery of deliveries)
    events.push(await openEvent(deps.crypto, { companyId: connection.companyId, ...delivery }));
  return { connection: opened, events };
};

const call = async (deps: SendingDeps, claim: Claim, signal: AbortSignal): Promise<CallResult> => {
  const { metrics, onError } = deps.outbound;
  const { api } = claim.connection;
  let opened: Awaited<ReturnType<typeof open>>;
  try {
    opened = await open(deps, claim);
  } catch (error) {
    onError('impact_in.outbound_unopened')(error);
    return allFailed(claim, failed('internal', { error: 'what was kept for the call could not be opened' }));
  }
  const startedAtMs = performance.now();
  try {
    const result = await inSpan(`partner ${api}`, { 'hub.deliveries': claim.deliveries.length }, undefined, () =>
      callPartner({ ...deps.outbound, clock: deps.clock }, opened.connection, opened.events, signal),
    );
    metrics.called(api, noteOf(result), performance.now() - startedAtMs);
    if (result.pauseMs !== null && result.pauseMs > 0) metrics.waited(api, 'partner');
    return result;
  } catch (error) {
    onError('impact_in.outbound_call_failed')(error);
    metrics.called(api, 'internal', performance.now() - startedAtMs);
    return allFailed(
      claim,
      failed('internal', { result: 'unknown', error: 'the call could not be made or understood' }),
    );
  }
};

/** More attempts than any schedule has: they never came to an end, and their next one may end a process again. */
const maxTries = 20;
const givenUp = failed('lost', {
  result: 'unknown',
  mayRetry: false,
  error: `none of ${maxTries} attempts came to an end; the partner may have received it`,
});

/** Calls for all but those that were claimed too often. */
const attempt = async (deps: SendingDeps, claim: Claim, signal: AbortSignal): Promise<CallResult> => {
  const [lost, alive] = [true, false].map((isLost) => ({
    ...claim,
    deliveries: claim.deliveries.filter(({ tries }) => tries > maxTries === isLost),
  })) as [Claim, Claim];
  const abandoned = allFailed(lost, givenUp);
  if (alive.deliveries.length === 0) return abandoned;
  const result = await call(deps, alive, signal);
  return { ...result, ends: new Map([...result.ends, ...abandoned.ends]) };
};

type Ended = CallResult['ends'] extends Map<string, infer E> ? E : never;

const unsaid: Ended = { end: failed('internal', { error: 'nothing was said about it' }), exchange: null };

const record = async (deps: SendingDeps, { connection, deliveries }: Claim, result: CallResult): Promise<void> => {
  const { companyId } = connection;
  const sealer = await deps.crypto.openSealer({ companyId, purpose: outboundPurpose });
  const attempts = deliveries.map((delivery): EndedAttempt => {
    const { end, exchange } = result.ends.get(delivery.deliveryId) ?? unsaid;
    const context = exchangeContext(delivery.deliveryId, delivery.attempt);
    const sealedExchange = exchange === null ? null : sealer.seal(context, Buffer.from(JSON.stringify(exchange)));
    return { ...delivery, end, sealedExchange };
  });
  for (const { end } of attempts) deps.outbound.metrics.attempted(connection.api, end.result);
  const { outbox, clock } = deps;
  const { random, retryDelaysSeconds } = deps.outbound;
  const write = (ended: readonly EndedAttempt[]) =>
    deps.db.company(companyId, (tx) =>
      recordEnds(tx, { outbox, clock, random, retryDelaysSeconds }, connection, ended, result.pauseMs),
    );
  try {
    await write(attempts);
  } catch (error) {
    if (!isFaultOfARow(error)) throw error;
    // Nothing a partner writes may keep its deliveries from coming to an end.
    deps.outbound.onError('impact_in.outbound_unrecordable')(error);
    await write(attempts.map((attempt) => ({ ...attempt, end: bareEnd(attempt.end), sealedExchange: null })));
  }
};

const breakerOf = async (deps: SendingDeps, { companyId, connectionId }: SendTarget) => {
  const [row] = await deps.db.company(
    companyId,
    (tx) => tx.sql<Pick<ConnectionRow, 'api' | 'id'>[]>`
    select id, api from impact_in_connection where id = ${connectionId} and state = 'active'`,
  );
  return row === undefined
    ? undefined
    : { api: row.api, breaker: deps.outbound.breakers.get(breakerNameOf(row), partnerBreaker) };
};

/**
 * Makes one call for a connection, if there is something due and it may be made: claims in one transaction, calls
 * without any, and records in another. An open circuit costs no attempt: the connection waits until it may be tried.
 *
 * @returns how many deliveries were attempted
 * @throws only for the database; what was claimed is then claimed again when its lease runs out, with the same
 *   idempotency keys
 */
export const sendCall = async (deps: SendingDeps, target: SendTarget, signal: AbortSignal): Promise<number> => {
  const found = await breakerOf(deps, target);
  if (found === undefined) return 0;
  const { api, breaker } = found;
  let permit: Permit;
  try {
    permit = breaker.permit();
  } catch (error) {
    if (!(error instanceof BreakerOpenError)) throw error;
    deps.outbound.metrics.waited(api, 'circuit');
    await postpone(deps, target, Math.max(error.retryAfterMs, minPauseMs));
    return 0;
  }
  let health: CallResult['health'] = 'cancel';
  try {
    const claim = await deps.db.company(target.companyId, (tx) => claimCall(tx, target.connectionId));
    if (claim === undefined) return 0;
    const result = await attempt(deps, claim, signal);
    health = result.health;
    await record(deps, claim, result);
    return claim.deliveries.length;
  } finally {
    permit[health]();
  }
};
