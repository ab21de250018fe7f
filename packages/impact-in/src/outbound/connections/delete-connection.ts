import { recordAudit } from '@impact-hub/audit';
import type { Clock, Outbox, Tx } from '@impact-hub/core';
import { deliveryUpdated } from '../../deliveries/process-receipt.ts';
import type { EndpointMaker } from '../../endpoints/create-endpoint.ts';
import { connectionNotFound } from '../../problems.ts';
import { outlivedError } from '../sending/attempt-end.ts';
import type { ConnectionRow } from '../tables.ts';
import { findConnection, updateConnection } from './repository.ts';

/** What has not been sent yet fails; so does what is being sent, unless its answer is good news. */
const endDeliveries = (tx: Tx, connectionId: string, now: Date) => tx.sql<{ id: string }[]>`
  with ended as (
    update impact_in_outbound set state = 'done' where connection_id = ${connectionId} and state <> 'done'
    returning delivery_id
  ), outlived as (
    update impact_in_outbound_attempt a set result = 'unknown', error_class = 'lost', error = ${outlivedError}
    from ended where a.delivery_id = ended.delivery_id and a.result = 'started'
  )
  update impact_in_delivery d set status = 'failed', outcome = 'dead', last_error = 'the connection was deleted',
    processed_at = ${now}, updated_at = ${now}
  from ended where d.id = ended.delivery_id returning d.id`;

/**
 * Deletes a connection and its credentials; its deliveries stay to be read.
 *
 * @returns what it was
 * @throws ProblemError `impact_in.connection_not_found`
 */
export const deleteConnection = async (
  tx: Tx,
  deps: { clock: Clock; outbox: Outbox },
  maker: EndpointMaker,
  id: string,
): Promise<ConnectionRow> => {
  const row = await findConnection(tx, id, true);
  if (row === undefined) throw connectionNotFound();
  const now = deps.clock.now();
  await updateConnection(tx, id, { state: 'deleted', credentials: '', revision: row.revision + 1, updatedAt: now });
  const ended = await endDeliveries(tx, id, now);
  await deps.outbox.publishAll(
    tx,
    deliveryUpdated,
    ended.map((delivery) => ({ deliveryId: delivery.id })),
  );
  await recordAudit(tx, {
    type: 'impact_in.connection.deleted',
    category: 'admin',
    actor: maker.actor,
    resource: { type: 'impact_in_connection', id },
    request: maker.request,
    metadata: { partner: row.partner, api: row.api, name: row.name, failedDeliveries: ended.length },
  });
  return row;
};
