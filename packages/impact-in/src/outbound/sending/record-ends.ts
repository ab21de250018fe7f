import { recordAudit } from '@impact-hub/audit';
import { retryDelayMs, type Clock, type Outbox, type Tx } from '@impact-hub/core';
import { deliveryUpdated } from '../../deliveries/process-receipt.ts';
import { lockCorrelations } from '../correlation-lock.ts';
import { settleOutbound, type SettlingEvent } from '../settle-outbound.ts';
import type { ConnectionRow } from '../tables.ts';
import { outlivedError, type AttemptEnd } from './attempt-end.ts';
import type { ClaimedDelivery } from './claim-call.ts';

export type EndedAttempt = Omit<ClaimedDelivery, 'sealed'> & { end: AttemptEnd; sealedExchange: Buffer | null };

type Deps = {
  outbox: Outbox;
  clock: Clock;
  random(): number;
  /** Before attempt 2, 3, …; after the last one the delivery has failed. */
  retryDelaysSeconds: readonly number[];
};

type Present = {
  deliveryId: string;
  state: 'waiting' | 'sending' | 'done';
  generation: number;
  createdAt: Date;
  eventAt: Date | null;
  status: string;
};

type Decided = {
  id: string;
  number: number;
  result: AttemptEnd['result'];
  /** How the delivery goes on; null leaves it as it is. */
  next: 'done' | 'waiting' | null;
  status: string | null;
  outcome: 'applied' | 'waiting' | 'dead' | null;
  delayMs: number | null;
  alone: boolean;
  httpStatus: number | null;
  errorClass: string | null;
  error: string | null;
  partnerTransactionId: string | null;
  sealed: string | null;
};

/**
 * An answer counts when it is to the present claim, and good news always: the partner has it, whoever asked. What the
 * partner's own event has closed stays closed.
 */
const decide = (deps: Deps, attempt: EndedAttempt, present: Present, pauseMs: number | null): Decided => {
  const { end, tries } = attempt;
  const { result, errorClass, httpStatus, error, partnerTransactionId } = end;
  const noted: Decided = {
    id: attempt.deliveryId,
    number: attempt.attempt,
    result,
    next: null,
    status: null,
    outcome: null,
    delayMs: null,
    alone: errorClass === 'batch_refused',
    httpStatus,
    errorClass,
    error,
    partnerTransactionId,
    sealed: attempt.sealedExchange?.toString('base64') ?? null,
  };
  const isClosedByEvent = present.eventAt !== null && ['success', 'failed'].includes(present.status);
  if (result === 'success') {
    // An event that came first says more than an answer that is still open.
    const isSettled = isClosedByEvent || (present.eventAt !== null && end.status === 'pending');
    if (isSettled || present.status === 'success')
      return present.state === 'done' ? noted : { ...noted, next: 'done', outcome: 'applied' };
    return { ...noted, next: 'done', status: end.status, outcome: 'applied' };
  }
  if (present.state !== 'sending' || present.generation !== attempt.generation) return noted;
  const drawnMs = end.mayRetry ? retryDelayMs(deps.retryDelaysSeconds, tries, deps.random) : undefined;
  if (drawnMs === undefined) return { ...noted, next: 'done', status: 'failed', outcome: 'dead' };
  return {
    ...noted,
    next: 'waiting',
    status: 'retrying',
    outcome: 'waiting',
    delayMs: Math.max(drawnMs, pauseMs ?? 0),
  };
};

const write = (tx: Tx, decided: readonly Decided[], now: Date) => tx.sql`
  with decided as (
    select * from jsonb_to_recordset(${JSON.stringify(decided)}::jsonb) as d (
      id uuid, number integer, result text, next text, status text, outcome text, "delayMs" double precision,
      alone boolean, "httpStatus" integer, "errorClass" text, error text, "partnerTransactionId" text, sealed text)
  ), attempt as (
    update impact_in_outbound_attempt a set
      result = decided.result, ended_at = clock_timestamp(), http_status = decided."httpStatus",
      error_class = decided."errorClass", error = decided.error, sealed = decode(decided.sealed, 'base64'),
      next_attempt_at = now() + make_interval(secs => decided."delayMs" / 1000)
    from decided where a.delivery_id = decided.id and a.number = decided.number and a.ended_at is null
  ), outlived as (
    update impact_in_outbound_attempt a set result = 'unknown', error_class = 'lost', error = ${outlivedError}
    from decided
    where a.delivery_id = decided.id and a.number <> decided.number and a.result = 'started' and decided.next = 'done'
  ), outbound as (
    update impact_in_outbound o set
      state = coalesce(decided.next, o.state), alone = o.alone or decided.alone,
      partner_transaction_id = coalesce(decided."partnerTransactionId", o.partner_transaction_id),
      due_at = case when decided.next = 'waiting' then now() + make_interval(secs => decided."delayMs" / 1000) else o.due_at end,
      event_at = case when decided.status in ('success', 'failed') then null else o.event_at end
    from decided where o.delivery_id = decided.id
  )
  update impact_in_delivery d set
    status = coalesce(decided.status, d.status), outcome = decided.outcome, last_error = decided.error, updated_at = ${now},
    reported = case when decided.outcome = 'applied' then coalesce(decided.status, d.reported) else d.reported end,
    processed_at = case when decided.next = 'done' then ${now}::timestamptz else d.processed_at end
  from decided where d.id = decided.id and decided.next is not null`;

/** Events that came before anybody knew what the partner calls the transaction. */
const findEarlyEvents = (tx: Tx, partner: string, named: readonly { id: string | null; createdAt: Date }[]) =>
  tx.sql<SettlingEvent[]>`
    select d.id, d.partner, d.correlation_id as "correlationId", d.reported as status, d.occurred_at as "occurredAt"
    from jsonb_to_recordset(${JSON.stringify(named)}::jsonb) as n (id text, "createdAt" timestamptz)
    join impact_in_delivery d on d.company_id = ${tx.companyId} and d.correlation_id = n.id and d.partner = ${partner}
      and d.direction = 'inbound' and d.reported is not null and d.occurred_at is not null
      and d.received_at >= n."createdAt"`;

const audit = (tx: Tx, connection: ConnectionRow, attempt: EndedAttempt) =>
  recordAudit(tx, {
    type: 'impact_in.delivery.failed',
    category: 'data',
    severity: 'warning',
    result: 'failure',
    actor: { kind: 'system', id: 'impact-in' },
    resource: { type: 'impact_in_delivery', id: attempt.deliveryId },
    metadata: {
      partner: connection.partner,
      connectionId: connection.id,
      attempts: attempt.attempt,
      errorClass: attempt.end.errorClass,
      httpStatus: attempt.end.httpStatus,
    },
  });

/**
 * Writes how the attempts of one call ended, and what follows for their deliveries, in the caller's transaction.
 *
 * @param pauseMs what the partner asked for; no delivery of the call is tried before
 */
export const recordEnds = async (
  tx: Tx,
  deps: Deps,
  connection: ConnectionRow,
  attempts: readonly EndedAttempt[],
  pauseMs: number | null,
): Promise<void> => {
  const { partner } = connection;
  const named = attempts.flatMap(({ end }) => end.partnerTransactionId ?? []);
  await lockCorrelations(
    tx,
    named.map((correlationId) => ({ partner, correlationId })),
  );
  const rows = await tx.sql<Present[]>`
    select o.delivery_id as "deliveryId", o.state, o.generation, o.created_at as "createdAt", o.event_at as "eventAt", d.status
    from impact_in_outbound o join impact_in_delivery d on d.id = o.delivery_id
    where o.delivery_id = any(${attempts.map(({ deliveryId }) => deliveryId)}::uuid[]) order by o.delivery_id for update`;
  const present = new Map(rows.map((row) => [row.deliveryId, row]));
  const decided = attempts.flatMap((attempt) => {
    const row = present.get(attempt.deliveryId);
    return row === undefined ? [] : [{ attempt, row, is: decide(deps, attempt, row, pauseMs) }];
  });
  await write(
    tx,
    decided.map(({ is }) => is),
    deps.clock.now(),
  );
  for (const { attempt, is } of decided) if (is.outcome === 'dead') await audit(tx, connection, attempt);
  const early = await findEarlyEvents(
    tx,
    partner,
    decided.map(({ is, row }) => ({ id: is.partnerTransactionId, createdAt: row.createdAt })),
  );
  const settled = await settleOutbound(tx, early, deps.clock.now());
  const changed = decided.flatMap(({ is }) => (is.next === null ? [] : [is.id]));
  await deps.outbox.publishAll(
    tx,
    deliveryUpdated,
    [...new Set([...changed, ...settled])].map((deliveryId) => ({ deliveryId })),
  );
  if (pauseMs !== null)
    await tx.sql`
      update impact_in_connection set next_call_at = greatest(next_call_at, now() + make_interval(secs => ${pauseMs / 1_000}))
      where id = ${connection.id}`;
};
