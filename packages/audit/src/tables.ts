import { customType, index, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import { auditActorKinds, auditCategories, auditResults, auditSeverities } from './audit-event.ts';

const bytea = customType<{ data: Buffer; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  fromDriver: (value) => Buffer.from(value),
});

export const auditEvent = pgTable(
  'audit_event',
  {
    id: uuid('id').notNull(),
    companyId: uuid('company_id'),
    at: timestamp('at', { withTimezone: true, precision: 3 }).notNull(),
    body: bytea('body').notNull(),
    leafHash: bytea('leaf_hash').notNull(),
    type: text('type').notNull(),
    category: text('category', { enum: auditCategories }).notNull(),
    severity: text('severity', { enum: auditSeverities }).notNull(),
    result: text('result', { enum: auditResults }).notNull(),
    actorKind: text('actor_kind', { enum: auditActorKinds }).notNull(),
    actorId: text('actor_id').notNull(),
    resourceType: text('resource_type'),
    resourceId: text('resource_id'),
    requestId: text('request_id'),
  },
  (table) => [
    primaryKey({ columns: [table.at, table.id] }),
    index('audit_event_by_time').on(table.companyId, table.at, table.id),
  ],
);
