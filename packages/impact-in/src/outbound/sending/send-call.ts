import { BreakerOpenError, inSpan, type Permit } from '@impact-hub/core';
import { openConnection, type OpenConnection } from '../connections/open-connection.ts';
import type { OutboundEvent } from '../impact-event.ts';
import type { SendingDeps } from '../outbound-deps.ts';
import type { ConnectionRow } from '../tables.ts';
import { failed } from './attempt-end.ts';
import { breakerNameOf } from './breaker-name.ts';
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

/** What could not even be opened fails like a call, so that it ends some time. */
const unopened = ({ deliveries }: Claim): CallResult => {
  const end = failed('internal', { error: 'what was kept for the call could not be opened' });
  return {
    ends: new Map(deliveries.map(({ deliveryId }) => [deliveryId, { end, exchange: null }])),
    health: 'cancel',
    pauseMs: null,
  };
};

const open = async (deps: SendingDeps, { connection, deliveries }: Claim) => {
  const opened = await openConnection(deps.crypto, connection);
  const events: OutboundEvent[] = [];
  for (const delivery of deliveries)
    events.push(await openEvent(deps.crypto, { companyId: connection.companyId, ...delivery }));
  return { connection: opened, events };
};

const call = async (deps: SendingDeps, claim: Claim, signal: AbortSignal): Promise<CallResult> => {
  let opened: { connection: OpenConnection; events: OutboundEvent[] };
  try {
    opened = await open(deps, claim);
  } catch (error) {
    deps.outbound.onError('impact_in.outbound_unopened')(error);
    return unopened(claim);
  }
  const { metrics } = deps.outbound;
  const { api } = claim.connection;
  const startedAtMs = performance.now();
  const result = await inSpan(`partner ${api}`, { 'hub.deliveries': claim.deliveries.length }, undefined, () =>
    callPartner({ ...deps.outbound, clock: deps.clock }, opened.connection, opened.events, signal),
  );
  metrics.called(api, noteOf(result), performance.now() - startedAtMs);
  if (result.pauseMs !== null && result.pauseMs > 0) metrics.waited(api, 'partner');
  return result;
};

const record = async (deps: SendingDeps, { connection, deliveries }: Claim, result: CallResult): Promise<void> => {
  const { companyId } = connection;
  const sealer = await deps.crypto.openSealer({ companyId, purpose: outboundPurpose });
  const attempts = deliveries.map((delivery): EndedAttempt => {
    const ended = result.ends.get(delivery.deliveryId) ?? {
      end: failed('internal', { error: 'nothing was said about it' }),
      exchange: null,
    };
    const context = exchangeContext(delivery.deliveryId, delivery.attempt);
    const sealedExchange =
      ended.exchange === null ? null : sealer.seal(context, Buffer.from(JSON.stringify(ended.exchange)));
    return { ...delivery, end: ended.end, sealedExchange };
  });
  for (const { end } of attempts) deps.outbound.metrics.attempted(connection.api, end.result);
  const { outbox, clock } = deps;
  const { random, retryDelaysSeconds } = deps.outbound;
  await deps.db.company(companyId, (tx) =>
    recordEnds(tx, { outbox, clock, random, retryDelaysSeconds }, connection, attempts, result.pauseMs),
  );
};

const breakerOf = async (deps: SendingDeps, { companyId, connectionId }: SendTarget) => {
  const [row] = await deps.db.company(
    companyId,
    (tx) => tx.sql<Pick<ConnectionRow, 'api' | 'baseUrl'>[]>`
    select api, base_url as "baseUrl" from impact_in_connection where id = ${connectionId} and state = 'active'`,
  );
  return row === undefined ? undefined : { api: row.api, breaker: deps.outbound.breakers.get(breakerNameOf(row)) };
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
    const result = await call(deps, claim, signal);
    health = result.health;
    await record(deps, claim, result);
    return claim.deliveries.length;
  } finally {
    permit[health]();
  }
};
