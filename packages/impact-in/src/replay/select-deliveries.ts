import type { Tx } from '@impact-hub/core';
import type { ReplayFilter, ReplaySelection } from './replay.ts';

/** The deliveries `d` of a filter that had been received at the snapshot, as a condition. */
export const matchesFilter = (tx: Tx, filter: ReplayFilter, snapshotAt: Date) => {
  const { sql } = tx;
  const also = (column: string, value: string | undefined) =>
    value === undefined ? sql`` : sql`and ${sql(column)} = ${value}`;
  // The whole of its millisecond: the database counts finer than that.
  const snapshotEnd = new Date(snapshotAt.getTime() + 1);
  return sql`
    d.company_id = ${tx.companyId} and d.received_at < ${snapshotEnd}
    ${filter.from === undefined ? sql`` : sql`and d.received_at >= ${filter.from}`}
    ${filter.to === undefined ? sql`` : sql`and d.received_at < ${filter.to}`}
    ${also('d.partner', filter.partner)} ${also('d.status', filter.status)} ${also('d.outcome', filter.outcome)}
    ${also('d.direction', filter.direction)} ${also('d.event_type', filter.eventType)}
    ${also('d.correlation_id', filter.correlationId)}
    ${filter.endpointId === undefined ? sql`` : sql`and d.endpoint_id = ${filter.endpointId}::uuid`}`;
};

/** Named deliveries that the company does not have are not among them, whether somebody else has them or nobody. */
export const matchesIds = (tx: Tx, ids: readonly string[]) =>
  tx.sql`d.company_id = ${tx.companyId} and d.id = any(${ids}::uuid[])`;

export const matches = (tx: Tx, selection: ReplaySelection, snapshotAt: Date) =>
  'ids' in selection ? matchesIds(tx, selection.ids) : matchesFilter(tx, selection.filter, snapshotAt);
