import { boolean, customType, integer, pgTable, primaryKey, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { PartnerName } from '../verification/profile.ts';
import type { PartnerApiName } from './partner-apis.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const instant = (name: string) => timestamp(name, { withTimezone: true });

export const connectionStates = ['active', 'paused', 'deleted'] as const;
export const attemptResults = ['started', 'success', 'failure', 'unknown'] as const;

export const impactInConnection = pgTable('impact_in_connection', {
  id: uuid('id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  partner: text('partner').$type<PartnerName>().notNull(),
  api: text('api').$type<PartnerApiName>().notNull(),
  name: text('name').notNull(),
  baseUrl: text('base_url').notNull(),
  tenant: text('tenant'),
  credentials: text('credentials').notNull(),
  revision: integer('revision').notNull(),
  requestsPerMinute: integer('requests_per_minute').notNull(),
  state: text('state').$type<(typeof connectionStates)[number]>().notNull(),
  nextCallAt: instant('next_call_at').notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
});

export const impactInOutbound = pgTable('impact_in_outbound', {
  deliveryId: uuid('delivery_id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  connectionId: uuid('connection_id').notNull(),
  partner: text('partner').$type<PartnerName>().notNull(),
  transactionId: text('transaction_id').notNull(),
  partnerTransactionId: text('partner_transaction_id'),
  sealed: bytea('sealed').notNull(),
  state: text('state').$type<'waiting' | 'sending' | 'done'>().notNull(),
  generation: integer('generation').notNull(),
  tries: integer('tries').notNull(),
  dueAt: instant('due_at').notNull(),
  alone: boolean('alone').notNull(),
  eventAt: instant('event_at'),
  createdAt: instant('created_at').notNull(),
});

export const impactInOutboundAttempt = pgTable(
  'impact_in_outbound_attempt',
  {
    deliveryId: uuid('delivery_id').notNull(),
    number: integer('number').notNull(),
    companyId: uuid('company_id').notNull(),
    result: text('result').$type<(typeof attemptResults)[number]>().notNull(),
    startedAt: instant('started_at').notNull(),
    endedAt: instant('ended_at'),
    httpStatus: integer('http_status'),
    errorClass: text('error_class'),
    error: text('error'),
    nextAttemptAt: instant('next_attempt_at'),
    sealed: bytea('sealed'),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.number] })],
);

export type ConnectionRow = typeof impactInConnection.$inferSelect;
export type OutboundRow = typeof impactInOutbound.$inferSelect;
export type OutboundAttemptRow = typeof impactInOutboundAttempt.$inferSelect;
