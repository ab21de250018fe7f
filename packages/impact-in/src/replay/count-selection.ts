import type { Tx } from '@impact-hub/core';
import type { Delivery } from '../deliveries/delivery-repository.ts';
import { selectionTooSlow } from './problems.ts';
import type { ReplaySelection } from './replay.ts';
import { matches } from './select-deliveries.ts';

/** Longer than any window of a month takes, shorter than a request may. */
const countWithinMs = 10_000;
const sampleSize = 10;

/** Fields of a delivery that tell a person whether it is one they meant. */
export type SampledDelivery = Pick<
  Delivery,
  'id' | 'direction' | 'partner' | 'eventType' | 'correlationId' | 'status' | 'outcome' | 'receivedAt'
>;

export type SelectionCount = { selected: number; sample: SampledDelivery[] };

const cancelled = '57014';

/**
 * Counts exactly what a replay would select now, and shows the oldest of it. Writes nothing.
 *
 * @throws ProblemError `impact_in.replay_selection_too_slow` when the count takes longer than ten seconds
 */
export const countSelection = async (tx: Tx, selection: ReplaySelection, snapshotAt: Date): Promise<SelectionCount> => {
  try {
    await tx.sql`select set_config('statement_timeout', ${String(countWithinMs)}, true)`;
    const [counted] = await tx.sql<{ selected: number }[]>`
      select count(*)::int as selected from impact_in_delivery d where ${matches(tx, selection, snapshotAt)}`;
    const sample = await tx.sql<SampledDelivery[]>`
      select d.id, d.direction, d.partner, d.event_type as "eventType", d.correlation_id as "correlationId", d.status,
             d.outcome, d.received_at as "receivedAt"
      from impact_in_delivery d where ${matches(tx, selection, snapshotAt)}
      order by d.received_at, d.id limit ${sampleSize}`;
    return { selected: counted?.selected ?? 0, sample };
  } catch (cause) {
    if ((cause as { code?: string }).code === cancelled) throw selectionTooSlow({ cause });
    throw cause;
  }
};
