import type { ConnectionRow } from '../outbound/tables.ts';
import type { DeliveryRow } from '../tables.ts';

/** What a step has to know of a delivery; undefined when it is no longer stored. */
export type ItemDelivery = Pick<
  DeliveryRow,
  'id' | 'direction' | 'partner' | 'status' | 'outcome' | 'attempts' | 'processedAt'
> & {
  /** Of the connection that an outbound delivery goes out by. */
  connectionState: ConnectionRow['state'] | null;
};

/**
 * process: its job is started again; apply: its stored bytes are read and applied again; send: it goes to the partner
 * again, under the same idempotency key; skip: nothing is to be done, for the reason given.
 */
export type ItemPlan = { action: 'process' | 'apply' | 'send' } | { action: 'skip'; reason: string };

const planOutbound = (delivery: ItemDelivery, includeSucceeded: boolean): ItemPlan => {
  const { status, outcome, connectionState } = delivery;
  const isOpen = status === 'failed' || outcome === 'waiting' || outcome === 'dead';
  if (!isOpen && !includeSucceeded)
    return {
      action: 'skip',
      reason:
        status === 'success' ? 'it was sent successfully' : 'the partner has accepted it and has yet to report on it',
    };
  if (connectionState === 'active') return { action: 'send' };
  return { action: 'skip', reason: `its connection is ${connectionState ?? 'deleted'}` };
};

/** Decides what a replay does with a delivery, from how it stands when its turn comes. */
export const planItem = (delivery: ItemDelivery | undefined, includeSucceeded: boolean): ItemPlan => {
  if (delivery === undefined) return { action: 'skip', reason: 'it is no longer stored' };
  if (delivery.direction === 'outbound') return planOutbound(delivery, includeSucceeded);
  return { action: delivery.processedAt === null ? 'process' : 'apply' };
};
