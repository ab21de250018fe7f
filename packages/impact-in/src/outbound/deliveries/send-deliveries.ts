import { recordAudit } from '@impact-hub/audit';
import { newId, type Clock, type Tx } from '@impact-hub/core';
import type { Sealer } from '@impact-hub/crypto';
import type { EndpointMaker } from '../../endpoints/create-endpoint.ts';
import { connectionNotFound, transactionConflict } from '../../problems.ts';
import { wrongField } from '../connections/check-input.ts';
import { eventBytes } from '../sending/outbound-event.ts';
import { outboundChannel } from '../sending/start-sender.ts';
import type { SendDelivery } from './schema.ts';

type Deps = { clock: Clock; sealer: Sealer };
type Target = { id: string; partner: string; state: string };

/** The connections that deliveries name, by id; those a partner's name stands for, by that. Kept as they are meanwhile. */
const findTargets = async (tx: Tx): Promise<Map<string, Target[]>> => {
  const rows = await tx.sql<Target[]>`
    select id, partner, state from impact_in_connection
    where company_id = ${tx.companyId} and state <> 'deleted' for key share`;
  const targets = new Map<string, Target[]>(rows.map((row) => [row.id, [row]]));
  for (const [partner, connections] of Map.groupBy(rows, (row) => row.partner))
    targets.set(
      partner,
      connections.filter(({ state }) => state === 'active'),
    );
  return targets;
};

const targetOf = (targets: Map<string, Target[]>, delivery: SendDelivery, field: (name: string) => string): Target => {
  const found = targets.get(delivery.connectionId ?? delivery.partner ?? '') ?? [];
  const [target] = found;
  if (delivery.connectionId !== undefined) {
    if (target === undefined || target.id !== delivery.connectionId) throw connectionNotFound();
    return target;
  }
  if (target === undefined || found.length > 1)
    throw wrongField(field('partner'), `There are ${found.length} active connections to it; give connectionId.`);
  return target;
};

type Row = {
  id: string;
  connectionId: string;
  partner: string;
  transactionId: string;
  eventType: string;
  occurredAt: string;
  sealed: string;
};

const rowOf = (sealer: Sealer, target: Target, delivery: SendDelivery): Row => {
  const id = newId();
  const { transactionId = id, eventType, payload } = delivery;
  const occurredAt = payload.occurredAt.toISOString();
  const sealed = sealer.seal(id, eventBytes({ ...payload, occurredAt, transactionId, eventType }));
  return {
    id,
    connectionId: target.id,
    partner: target.partner,
    transactionId,
    eventType,
    occurredAt,
    sealed: sealed.toString('base64'),
  };
};

const insert = (tx: Tx, rows: readonly Row[], now: Date) => tx.sql<{ transactionId: string; connectionId: string }[]>`
  with given as (
    select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as g (
      id uuid, "connectionId" uuid, partner text, "transactionId" text, "eventType" text, "occurredAt" timestamptz, sealed text)
  ), delivery as (
    insert into impact_in_delivery (id, company_id, direction, partner, event_type, correlation_id, status, outcome,
      occurred_at, received_at, updated_at)
    select id, ${tx.companyId}::uuid, 'outbound', partner, "eventType", "transactionId", 'pending', 'waiting',
      "occurredAt", ${now}::timestamptz, ${now}::timestamptz
    from given
  )
  insert into impact_in_outbound (delivery_id, company_id, connection_id, partner, transaction_id, sealed, due_at, created_at)
  select id, ${tx.companyId}::uuid, "connectionId", partner, "transactionId", decode(sealed, 'base64'), now(), ${now}::timestamptz
  from given
  returning transaction_id as "transactionId", connection_id as "connectionId"`;

/** Serialises those who use the same transaction ids, and says which are taken. */
const takenIds = (tx: Tx, rows: readonly Row[]) => tx.sql<{ transactionId: string }[]>`
  select o.transaction_id as "transactionId" from impact_in_outbound o
  join jsonb_to_recordset(${JSON.stringify(rows.map(({ connectionId, transactionId }) => ({ connectionId, transactionId })))}::jsonb)
    as g ("connectionId" uuid, "transactionId" text) on o.connection_id = g."connectionId" and o.transaction_id = g."transactionId"`;

const refuseRepeated = async (tx: Tx, rows: readonly Row[]): Promise<void> => {
  const names = rows.map(({ connectionId, transactionId }) => `${connectionId} ${transactionId}`);
  const repeated = rows.find((_row, index) => names.indexOf(names[index] ?? '') !== index);
  if (repeated !== undefined)
    throw transactionConflict({ detail: `${repeated.transactionId} occurs twice in this call.` });
  await tx.sql`
    select pg_advisory_xact_lock(key) from (
      select distinct hashtextextended(name, 0) as key
      from jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb) as name order by key offset 0
    ) keys`;
  const [taken] = await takenIds(tx, rows);
  if (taken !== undefined)
    throw transactionConflict({ detail: `${taken.transactionId} was used before with this connection.` });
};

/**
 * Takes deliveries to be sent, all or none, in the transaction of their company. The sender begins when it commits.
 *
 * @param deps.sealer of the company, for the purpose of outbound events
 * @param pathOf where a field of a delivery stands in the body
 * @returns the ids of the deliveries, in order
 * @throws ProblemError `impact_in.connection_not_found`, `impact_in.transaction_conflict`, `request.invalid`
 */
export const sendDeliveries = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  deliveries: readonly SendDelivery[],
  pathOf: (index: number, field: string) => string,
): Promise<string[]> => {
  const targets = await findTargets(tx);
  const rows = deliveries.map((delivery, index) =>
    rowOf(
      deps.sealer,
      targetOf(targets, delivery, (name) => pathOf(index, name)),
      delivery,
    ),
  );
  await refuseRepeated(tx, rows);
  await insert(tx, rows, deps.clock.now());
  await recordAudit(tx, {
    type: 'impact_in.deliveries.requested',
    category: 'data',
    actor: maker.actor,
    request: maker.request,
    metadata: {
      count: rows.length,
      connectionIds: [...new Set(rows.map(({ connectionId }) => connectionId))],
      deliveryIds: rows.map(({ id }) => id),
    },
  });
  await tx.sql`select pg_notify(${outboundChannel}, '')`;
  return rows.map(({ id }) => id);
};
