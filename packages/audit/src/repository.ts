import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, gte, lt, sql, type SQL } from 'drizzle-orm';
import type { EventBody } from './event-body.ts';
import type { EventFilter } from './schema.ts';
import { searchText } from './search-text.ts';
import { auditEvent } from './tables.ts';

export type NewEvent = { body: EventBody; bytes: Buffer; hash: Buffer };

const hashBytes = 32;

/** The bytes of all events are one base64 text, cut apart in SQL: the least work for both sides when there are many. */
const insertEventsSql = `
  insert into audit_event (id, company_id, at, body, leaf_hash, type, category, severity, result,
    actor_kind, actor_id, resource_type, resource_id, request_id)
  select r.id, r.co, r.at, substring(raw.bytes from r.of for r.le), substring(raw.bytes from r.of + r.le for ${hashBytes}),
    r.ty, r.ca, r.se, r.re, r.ak, r.ai, r.rt, r.ri, r.rq
  from (select decode($2::text, 'base64') as bytes offset 0) raw,
    jsonb_to_recordset($1::text::jsonb) as r(id uuid, co uuid, at timestamptz, ty text, ca text, se text, re text, ak text,
      ai text, rt text, ri text, rq text, of int4, le int4)`;

export const insertEvents = async (tx: Tx, events: readonly NewEvent[]): Promise<void> => {
  let offset = 1;
  const rows = events.map(({ body, bytes }) => {
    const start = offset;
    offset += bytes.length + hashBytes;
    return {
      id: body.id,
      co: body.companyId,
      at: body.at,
      ty: body.type,
      ca: body.category,
      se: body.severity,
      re: body.result,
      ak: body.actor.kind,
      ai: searchText(body.actor.id),
      rt: searchText(body.resource?.type),
      ri: searchText(body.resource?.id),
      rq: searchText(body.request?.id),
      of: start,
      le: bytes.length,
    };
  });
  const bytes = Buffer.concat(events.flatMap((event) => [event.bytes, event.hash]));
  await tx.sql.unsafe(insertEventsSql, [JSON.stringify(rows), bytes.toString('base64')], { prepare: true });
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
