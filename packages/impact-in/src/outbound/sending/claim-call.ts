import type { Tx } from '@impact-hub/core';
import { eq } from 'drizzle-orm';
import { partnerApis } from '../partner-apis.ts';
import { impactInConnection, type ConnectionRow } from '../tables.ts';

export type ClaimedDelivery = {
  deliveryId: string;
  generation: number;
  /** Number of this attempt in the log. */
  attempt: number;
  /** Attempts since it was last given to the sender, this one included. */
  tries: number;
  sealed: Buffer;
};

export type Claim = { connection: ConnectionRow; deliveries: ClaimedDelivery[] };

/** Longer than a call and its tokens can take; whoever has not answered by then is gone. */
const leaseSeconds = 120;

/** Takes the connection's turn at its rate. @returns the connection, unless it may not be called now */
const takeTurn = async (tx: Tx, connectionId: string): Promise<ConnectionRow | undefined> => {
  const free = await tx.sql`
    select 1 from impact_in_connection where id = ${connectionId} and state = 'active' and next_call_at <= now()
    for no key update skip locked`;
  if (free.length === 0) return undefined;
  const [row] = await tx.orm.select().from(impactInConnection).where(eq(impactInConnection.id, connectionId));
  return row;
};

/**
 * The generic cell rate algorithm: calls a fixed time apart, of which some may be made up for at once.
 * `next_call_at` is the earliest time for the next one.
 */
const countCall = (tx: Tx, { id, api, requestsPerMinute }: ConnectionRow) => {
  const spacingMs = 60_000 / requestsPerMinute;
  const toleranceMs = (partnerApis[api].rate.burst - 1) * spacingMs;
  return tx.sql`
    update impact_in_connection set next_call_at =
      greatest(next_call_at + make_interval(secs => ${toleranceMs / 1_000}), now())
      + make_interval(secs => ${(spacingMs - toleranceMs) / 1_000})
    where id = ${id}`;
};

const selectDue = async (tx: Tx, { id, api }: ConnectionRow): Promise<string[]> => {
  const due = await tx.sql<{ id: string; alone: boolean }[]>`
    select delivery_id as id, alone from impact_in_outbound
    where connection_id = ${id} and state <> 'done' and due_at <= now()
    order by due_at, delivery_id limit ${partnerApis[api].batch?.maxRecords ?? 1} for update skip locked`;
  const [first] = due;
  return (first?.alone === true ? [first] : due.filter(({ alone }) => !alone)).map((row) => row.id);
};

/** Writes the attempts before they are made. One that was begun and has no end is one nobody will hear of any more. */
const begin = (tx: Tx, ids: readonly string[]) => tx.sql<ClaimedDelivery[]>`
  with claimed as (
    update impact_in_outbound set state = 'sending', generation = generation + 1, tries = tries + 1,
      due_at = now() + make_interval(secs => ${leaseSeconds})
    where delivery_id = any(${ids as string[]}::uuid[]) returning delivery_id, company_id, generation, tries, sealed
  ), lost as (
    update impact_in_outbound_attempt a set result = 'unknown', error_class = 'lost',
      error = 'the hub ended before it noted an answer; the partner may have received it'
    from claimed where a.delivery_id = claimed.delivery_id and a.result = 'started'
  ), counted as (
    update impact_in_delivery d set attempts = d.attempts + 1, updated_at = now()
    from claimed where d.id = claimed.delivery_id returning d.id, d.attempts, d.company_id
  ), written as (
    insert into impact_in_outbound_attempt (delivery_id, number, company_id, started_at)
    select id, attempts, company_id, clock_timestamp() from counted
  )
  select delivery_id as "deliveryId", generation, attempts as attempt, tries, sealed
  from claimed join counted on counted.id = claimed.delivery_id order by delivery_id`;

/**
 * Claims what one call to a connection's partner delivers, if one may be made now, and notes the attempts at it. The
 * claim holds for two minutes; what has not been recorded by then is claimed again.
 *
 * @returns undefined when there is nothing due, or the connection's rate, pause or another process's turn is in the way
 */
export const claimCall = async (tx: Tx, connectionId: string): Promise<Claim | undefined> => {
  const connection = await takeTurn(tx, connectionId);
  if (connection === undefined) return undefined;
  const ids = await selectDue(tx, connection);
  if (ids.length === 0) return undefined;
  await countCall(tx, connection);
  return { connection, deliveries: await begin(tx, ids) };
};
