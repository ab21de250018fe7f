import { decodeCursor, toPage, type Tx } from '@impact-hub/core';
import type { EventBody } from './event-body.ts';
import { selectEvents, type EventRow } from './repository.ts';
import type { EventView, ListEventsQuery } from './schema.ts';

/** Read from the evidence itself, not from the search columns beside it. */
const toView = (row: EventRow): EventView => {
  const body = JSON.parse(row.body.toString('utf8')) as EventBody;
  return {
    id: row.id,
    at: row.at,
    type: body.type,
    category: body.category as EventView['category'],
    severity: body.severity as EventView['severity'],
    result: body.result as EventView['result'],
    actor: body.actor as EventView['actor'],
    resource: body.resource ?? null,
    request: body.request === undefined ? null : { ...body.request, userAgent: body.request.userAgent ?? null },
    changes: (body.changes as EventView['changes'] | undefined) ?? null,
    metadata: (body.metadata as EventView['metadata'] | undefined) ?? null,
    leafHash: row.leafHash.toString('hex'),
  };
};

/**
 * One page of a company's events, newest first.
 * @throws ProblemError `request.invalid` when the cursor is not one of ours
 */
export const listEvents = async (
  tx: Tx,
  companyId: string,
  { limit, cursor, ...filter }: ListEventsQuery,
): Promise<{ data: EventView[]; nextCursor: string | null }> => {
  const after = cursor === undefined ? undefined : decodeCursor(cursor);
  const rows = await selectEvents(tx, companyId, filter, { after, count: limit + 1 });
  const page = toPage(rows, limit, (row) => ({ atMs: row.at.getTime(), id: row.id }));
  return { data: page.data.map(toView), nextCursor: page.nextCursor };
};
