import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, gte, lt, sql, type SQL } from 'drizzle-orm';
import type { EventBody } from './event-body.ts';
import type { EventFilter } from './schema.ts';
import { searchText } from './search-text.ts';
import { auditEvent } from './tables.ts';

export const insertEvent = async (tx: Tx, body: EventBody, bytes: Buffer, hash: Buffer): Promise<void> => {
  await tx.sql`
    insert into audit_event (id, company_id, at, body, leaf_hash, type, category, severity, result,
      actor_kind, actor_id, resource_type, resource_id, request_id)
    values (${body.id}, ${body.companyId}, ${body.at}, ${bytes}, ${hash}, ${body.type}, ${body.category},
      ${body.severity}, ${body.result}, ${body.actor.kind}, ${searchText(body.actor.id)},
      ${searchText(body.resource?.type)}, ${searchText(body.resource?.id)}, ${searchText(body.request?.id)})`;
};

export type EventRow = { id: string; at: Date; body: Buffer; leafHash: Buffer };

const equalities = {
  type: auditEvent.type,
  category: auditEvent.category,
  severity: auditEvent.severity,
  result: auditEvent.result,
  actorId: auditEvent.actorId,
  resourceType: auditEvent.resourceType,
  resourceId: auditEvent.resourceId,
  requestId: auditEvent.requestId,
} as const;

const conditions = (companyId: string, filter: EventFilter, after: Cursor | undefined): (SQL | undefined)[] => [
  eq(auditEvent.companyId, companyId),
  ...Object.entries(equalities).map(([name, column]) => {
    const wanted = filter[name as keyof typeof equalities];
    return wanted === undefined ? undefined : eq(column, wanted);
  }),
  filter.from === undefined ? undefined : gte(auditEvent.at, filter.from),
  filter.to === undefined ? undefined : lt(auditEvent.at, filter.to),
  after === undefined
    ? undefined
    : sql`(${auditEvent.at}, ${auditEvent.id}) < (${new Date(after.atMs).toISOString()}::timestamptz, ${after.id}::uuid)`,
];

/** Newest first. The planner sees the values of a query, which is what lets it use partial indexes and skip partitions. */
export const selectEvents = (
  tx: Tx,
  companyId: string,
  filter: EventFilter,
  page: { after: Cursor | undefined; count: number },
) =>
  tx.orm
    .select({ id: auditEvent.id, at: auditEvent.at, body: auditEvent.body, leafHash: auditEvent.leafHash })
    .from(auditEvent)
    .where(and(...conditions(companyId, filter, page.after)))
    .orderBy(desc(auditEvent.at), desc(auditEvent.id))
    .limit(page.count);
