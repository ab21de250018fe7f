import type { Tx } from '@impact-hub/core';
import { outboundChannel } from './sending/start-sender.ts';

/**
 * Has outbound deliveries sent again now, each under the idempotency key it has, with the whole schedule of attempts
 * before it. Those whose connection was deleted, and those being sent just now, stay as they are.
 *
 * @returns those that are sent again
 */
export const restartSending = async (tx: Tx, deliveryIds: readonly string[]): Promise<string[]> => {
  const restarted = await tx.sql<{ id: string }[]>`
    with restarted as (
      update impact_in_outbound o set state = 'waiting', tries = 0, due_at = now(), event_at = null
      from impact_in_connection c
      where o.delivery_id = any(${deliveryIds as string[]}::uuid[]) and o.state <> 'sending'
        and c.id = o.connection_id and c.state <> 'deleted'
      returning o.delivery_id
    )
    update impact_in_delivery d set status = 'pending', outcome = 'waiting', processed_at = null, settled_by = null,
      updated_at = now()
    from restarted where d.id = restarted.delivery_id returning d.id`;
  if (restarted.length > 0) await tx.sql`select pg_notify(${outboundChannel}, '')`;
  return restarted.map(({ id }) => id);
};
