import type { DeliveryRow } from '../tables.ts';
import type { ItemState } from './replay.ts';

/** A delivery that was started and whose attempt has been made; no delivery when it is no longer stored. */
export type AttemptedItem = {
  delivery: Pick<DeliveryRow, 'direction' | 'status' | 'outcome' | 'processedAt' | 'lastError'> | undefined;
  /** False when its job has said nothing for too long. */
  wasAttempted: boolean;
};

export type Judgement = { state: ItemState; reason: string | null };

/** How the attempt that a replay asked for ended. */
export const judgeItem = ({ delivery, wasAttempted }: AttemptedItem): Judgement => {
  if (delivery === undefined) return { state: 'skipped', reason: 'it is no longer stored' };
  if (!wasAttempted)
    return { state: 'failed', reason: 'its job has not come to it within an hour; it will, when jobs run again' };
  const { direction, status, outcome, processedAt, lastError } = delivery;
  const isDone = direction === 'inbound' ? processedAt !== null : status !== 'failed' && outcome === 'applied';
  if (isDone) return { state: 'succeeded', reason: null };
  const again = outcome === 'waiting' ? '; it will be tried again by itself' : '';
  return { state: 'failed', reason: `${lastError ?? 'the attempt failed'}${again}` };
};
