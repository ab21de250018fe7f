import { customType, integer, jsonb, pgTable, primaryKey, real, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { EndpointSettings } from './endpoints/scheme-settings.ts';
import type { PartnerName } from './verification/profile.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const instant = (name: string) => timestamp(name, { withTimezone: true });

export const deliveryStatuses = ['pending', 'success', 'failed', 'retrying'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];
export const deliveryOutcomes = ['applied', 'superseded', 'waiting', 'dead'] as const;
/** `test`: sent by the hub itself to try an endpoint, and never processed. */
export const receiptOutcomes = ['accepted', 'duplicate', 'conflict', 'quarantined', 'rejected', 'test'] as const;
export const secretKinds = [
  'webhook_secret',
  'client_secret',
  'token_key',
  'password',
  'url_token',
  'header_token',
] as const;

export const impactInEndpoint = pgTable('impact_in_endpoint', {
  id: uuid('id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  partner: text('partner').$type<PartnerName>().notNull(),
  name: text('name').notNull(),
  scheme: text('scheme').notNull(),
  state: text('state').$type<'active' | 'paused'>().notNull(),
  hint: text('hint'),
  toleranceSeconds: integer('tolerance_seconds').notNull(),
  bodyLimitBytes: integer('body_limit_bytes').notNull(),
  allowedNetworks: text('allowed_networks').array(),
  settings: jsonb('settings').$type<EndpointSettings>().notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
  deletedAt: instant('deleted_at'),
  hintSince: instant('hint_since'),
  expectedEverySeconds: integer('expected_every_seconds'),
  expectedSince: instant('expected_since'),
  silentSince: instant('silent_since'),
});

export const impactInEndpointHeard = pgTable('impact_in_endpoint_heard', {
  endpointId: uuid('endpoint_id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  heardAt: instant('heard_at').notNull(),
});

export const impactInEndpointSecret = pgTable('impact_in_endpoint_secret', {
  id: uuid('id').primaryKey(),
  endpointId: uuid('endpoint_id').notNull(),
  companyId: uuid('company_id').notNull(),
  kind: text('kind').$type<(typeof secretKinds)[number]>().notNull(),
  ciphertext: text('ciphertext').notNull(),
  state: text('state').$type<'active' | 'retired'>().notNull(),
  /** Secrets that were made together have the same one, and end together. */
  generation: integer('generation').notNull(),
  notAfter: instant('not_after'),
  lastMatchedAt: instant('last_matched_at'),
  createdAt: instant('created_at').notNull(),
});

export const impactInDedupe = pgTable(
  'impact_in_dedupe',
  {
    endpointId: uuid('endpoint_id').notNull(),
    dedupeKey: bytea('dedupe_key').notNull(),
    companyId: uuid('company_id').notNull(),
    receiptId: uuid('receipt_id').notNull(),
    bodySha256: bytea('body_sha256').notNull(),
    firstSeenAt: instant('first_seen_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.dedupeKey] })],
);

export const impactInReceipt = pgTable(
  'impact_in_receipt',
  {
    id: uuid('id').notNull(),
    receivedAt: instant('received_at').notNull(),
    companyId: uuid('company_id').notNull(),
    endpointId: uuid('endpoint_id').notNull(),
    partner: text('partner').$type<PartnerName>().notNull(),
    outcome: text('outcome').$type<(typeof receiptOutcomes)[number]>().notNull(),
    reason: text('reason'),
    eventId: text('event_id'),
    eventType: text('event_type'),
    correlationId: text('correlation_id'),
    entityKey: text('entity_key'),
    secretId: text('secret_id'),
    requestId: text('request_id').notNull(),
    originalId: uuid('original_id'),
    bodyBytes: integer('body_bytes').notNull(),
    latencyMs: real('latency_ms').notNull(),
    sealed: bytea('sealed'),
  },
  (table) => [primaryKey({ columns: [table.companyId, table.receivedAt, table.id] })],
);

export const impactInDelivery = pgTable('impact_in_delivery', {
  id: uuid('id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  direction: text('direction').$type<'inbound' | 'outbound'>().notNull(),
  partner: text('partner').$type<PartnerName>().notNull(),
  endpointId: uuid('endpoint_id'),
  eventId: text('event_id'),
  eventType: text('event_type').notNull(),
  correlationId: text('correlation_id'),
  entityKey: text('entity_key'),
  status: text('status').$type<DeliveryStatus>().notNull(),
  reported: text('reported').$type<DeliveryStatus>(),
  outcome: text('outcome').$type<(typeof deliveryOutcomes)[number]>().notNull(),
  attempts: integer('attempts').notNull(),
  occurredAt: instant('occurred_at'),
  receivedAt: instant('received_at').notNull(),
  processedAt: instant('processed_at'),
  settledBy: uuid('settled_by'),
  lastError: text('last_error'),
  updatedAt: instant('updated_at').notNull(),
});

export const impactInAttempt = pgTable(
  'impact_in_attempt',
  {
    deliveryId: uuid('delivery_id').notNull(),
    number: integer('number').notNull(),
    companyId: uuid('company_id').notNull(),
    result: text('result').$type<'success' | 'failure'>().notNull(),
    error: text('error'),
    at: instant('at').notNull(),
    replayId: uuid('replay_id'),
  },
  (table) => [primaryKey({ columns: [table.deliveryId, table.number] })],
);

export const impactInTokenUse = pgTable(
  'impact_in_token_use',
  {
    endpointId: uuid('endpoint_id').notNull(),
    tokenKey: bytea('token_key').notNull(),
    companyId: uuid('company_id').notNull(),
    bodySha256: bytea('body_sha256').notNull(),
    expiresAt: instant('expires_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.endpointId, table.tokenKey] })],
);

export const impactInConfirmation = pgTable('impact_in_confirmation', {
  receiptId: uuid('receipt_id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  endpointId: uuid('endpoint_id').notNull(),
  partner: text('partner').$type<PartnerName>().notNull(),
  state: text('state').$type<'waiting' | 'confirmed' | 'denied'>().notNull(),
  reason: text('reason'),
  attempts: integer('attempts').notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
});

export type EndpointRow = typeof impactInEndpoint.$inferSelect;
export type SecretRow = typeof impactInEndpointSecret.$inferSelect;
export type ReceiptRecord = typeof impactInReceipt.$inferSelect;
export type DeliveryRow = typeof impactInDelivery.$inferSelect;
export type AttemptRow = typeof impactInAttempt.$inferSelect;
