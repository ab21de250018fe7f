import type { DeliveryRow } from '../tables.ts';

/** What a step has to know of a delivery; undefined when it is no longer stored. */
export type ItemDelivery = Pick<
  DeliveryRow,
  'id' | 'direction' | 'partner' | 'status' | 'outcome' | 'attempts' | 'processedAt'
>;

/**
 * process: its job is started again; apply: its stored bytes are read and applied again; send: it goes to the partner
 * again, under the same idempotency key; skip: nothing is to be done, for the reason given.
 */
export type ItemPlan = { action: 'process' | 'apply' | 'send' } | { action: 'skip'; reason: string };

const planOutbound = ({ status, outcome }: ItemDelivery, includeSucceeded: boolean): ItemPlan => {
  if (status === 'failed' || outcome === 'waiting' || outcome === 'dead' || includeSucceeded) return { action: 'send' };
  if (status === 'success') return { action: 'skip', reason: 'it was sent successfully' };
  return { action: 'skip', reason: 'the partner has accepted it and has yet to report on it' };
};

/** Decides what a replay does with a delivery, from how it stands when its turn comes. */
export const planItem = (delivery: ItemDelivery | undefined, includeSucceeded: boolean): ItemPlan => {
  if (delivery === undefined) return { action: 'skip', reason: 'it is no longer stored' };
  if (delivery.direction === 'outbound') return planOutbound(delivery, includeSucceeded);
  return { action: delivery.processedAt === null ? 'process' : 'apply' };
};
