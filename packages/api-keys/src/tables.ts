import { bigint, boolean, customType, integer, jsonb, pgTable, text, timestamp, uuid } from 'drizzle-orm/pg-core';
import type { KeyEnvironment } from './key-format.ts';

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' });
const count = (name: string) => bigint(name, { mode: 'number' });
const instant = (name: string) => timestamp(name, { withTimezone: true });

export type KeyMetadata = Record<string, string | number | boolean>;

export const apiKey = pgTable('api_key', {
  id: uuid('id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  keyId: text('key_id').notNull(),
  name: text('name').notNull(),
  environment: text('environment').$type<KeyEnvironment>().notNull(),
  scopes: text('scopes').array().notNull(),
  rateLimitPerMinute: integer('rate_limit_per_minute').notNull(),
  expiresAt: instant('expires_at'),
  allowedIps: text('allowed_ips').array().notNull(),
  metadata: jsonb('metadata').$type<KeyMetadata>().notNull(),
  enabled: boolean('enabled').notNull(),
  createdBy: text('created_by').notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
  revokedAt: instant('revoked_at'),
  revokedBy: text('revoked_by'),
  revokeReason: text('revoke_reason'),
});

export const apiKeySecret = pgTable('api_key_secret', {
  id: uuid('id').primaryKey(),
  apiKeyId: uuid('api_key_id').notNull(),
  companyId: uuid('company_id').notNull(),
  keySha256: bytea('key_sha256').notNull(),
  createdAt: instant('created_at').notNull(),
  firstUsedAt: instant('first_used_at'),
  expiresAt: instant('expires_at'),
  generation: integer('generation').notNull(),
  overlapSeconds: integer('overlap_seconds'),
  callCount: count('call_count').notNull(),
  lastUsedAt: instant('last_used_at'),
  leakReportedAt: instant('leak_reported_at'),
});

export const apiKeyUsage = pgTable('api_key_usage', {
  apiKeyId: uuid('api_key_id').primaryKey(),
  companyId: uuid('company_id').notNull(),
  callCount: count('call_count').notNull(),
  lastUsedAt: instant('last_used_at'),
  lastUsedIp: text('last_used_ip'),
  clientErrorCount: count('client_error_count').notNull().default(0),
  serverErrorCount: count('server_error_count').notNull().default(0),
  rateLimitedCount: count('rate_limited_count').notNull().default(0),
  lastUserAgent: text('last_user_agent'),
  anomalyNetwork: text('anomaly_network'),
  anomalyCalls: count('anomaly_calls'),
  anomalyAt: instant('anomaly_at'),
});

export type ApiKeyRow = typeof apiKey.$inferSelect;
/** A secret without its hash, which the runtime role cannot read. */
export type ApiKeySecretRow = Omit<typeof apiKeySecret.$inferSelect, 'keySha256'>;
export type ApiKeyUsageRow = typeof apiKeyUsage.$inferSelect;
