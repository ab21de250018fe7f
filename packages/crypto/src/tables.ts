import { customType, integer, pgTable, primaryKey, text, timestamp, unique, uuid } from 'drizzle-orm/pg-core';

const bytea = customType<{ data: Buffer; driverData: Uint8Array }>({
  dataType: () => 'bytea',
  fromDriver: (value) => Buffer.from(value),
});

export const cryptoKey = pgTable(
  'crypto_key',
  {
    companyId: uuid('company_id').notNull(),
    kid: uuid('kid').notNull(),
    version: integer('version').notNull(),
    purpose: text('purpose').notNull(),
    state: text('state', { enum: ['active', 'deactivated', 'destroyed'] })
      .notNull()
      .default('active'),
    wrapped: bytea('wrapped'),
    rootKeyId: text('root_key_id').notNull(),
    createdAt: timestamp('created_at', { withTimezone: true }).notNull().defaultNow(),
    deactivatedAt: timestamp('deactivated_at', { withTimezone: true }),
    destroyedAt: timestamp('destroyed_at', { withTimezone: true }),
  },
  (table) => [
    primaryKey({ columns: [table.companyId, table.kid, table.version] }),
    unique('crypto_key_series').on(table.companyId, table.purpose, table.version),
  ],
);
