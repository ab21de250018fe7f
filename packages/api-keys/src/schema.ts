import { isIpRange, keepable, lineInput, pageQuery, timestampInput } from '@impact-hub/core';
import { z } from 'zod';

const metadataLimitBytes = 4_096;
const metadata = z
  .record(keepable(z.string().min(1).max(64)), z.union([keepable(z.string().max(500)), z.number(), z.boolean()]), {
    // Zod itself says that a key is invalid, which means another kind of key here.
    error: (issue) => (issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined),
  })
  .refine(
    (value) => Buffer.byteLength(JSON.stringify(value)) <= metadataLimitBytes,
    `Must not exceed ${metadataLimitBytes} bytes.`,
  );

const keyIdParam = z.string().regex(/^[0-9A-Za-z]{12}$/, 'Must be the 12-character key id.');
const environment = z.enum(['live', 'test']);
const scope = z.string().regex(/^[a-z_]+(?::[a-z_]+)?$/, 'Must be a scope such as `deliveries:read`.');
const apiKeyStatuses = ['active', 'disabled', 'expired', 'revoked'] as const;

export const defaultRateLimitPerMinute = 60;

export const createBody = z.strictObject({
  name: lineInput(100).describe('What the key is for.'),
  environment,
  scopes: z
    .array(scope)
    .min(1, 'Give at least one scope.')
    .max(100)
    .transform((scopes) => [...new Set(scopes)].sort()),
  rateLimitPerMinute: z
    .int()
    .min(1)
    .max(10_000_000)
    .optional()
    .describe(`Requests per minute; default ${defaultRateLimitPerMinute}, or that of the key making it if lower.`),
  expiresAt: timestampInput.optional().describe('The key stops working at this time; left out, it never does.'),
  allowedIps: z
    .array(
      z
        .string()
        .max(50)
        .refine(isIpRange, 'Must be an IPv4 or IPv6 address, or a CIDR range written by its first address.'),
    )
    .max(100)
    .default([])
    .describe('Addresses or CIDR ranges that may use the key; empty means everywhere.'),
  metadata: metadata.default({}),
});

export const keyParams = z.strictObject({ keyId: keyIdParam });
export const revokeBody = z.strictObject({ reason: lineInput(500).optional() }).optional();
export const listQuery = z.strictObject({
  ...pageQuery,
  environment: environment.optional(),
  status: z.enum(apiKeyStatuses).optional(),
});

export const apiKeyView = z.object({
  id: z.uuid(),
  keyId: z.string().describe('Public id: the 12 characters after `teei_live_` or `teei_test_`.'),
  name: z.string(),
  environment,
  scopes: z.array(z.string()),
  rateLimitPerMinute: z.int(),
  expiresAt: z.date().nullable(),
  allowedIps: z.array(z.string()),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  enabled: z.boolean(),
  status: z.enum(apiKeyStatuses),
  createdAt: z.date(),
  createdBy: z.string(),
  updatedAt: z.date(),
  revokedAt: z.date().nullable(),
  revokedBy: z.string().nullable(),
  revokeReason: z.string().nullable(),
  usage: z.object({
    calls: z.int().describe('Accepted calls; up to a second late, like all of these.'),
    errors: z.int().describe('Answers with a status of 400 or more.'),
    clientErrors: z.int().describe('Answers with a status from 400 to 499.'),
    serverErrors: z.int().describe('Answers with a status of 500 or more.'),
    rateLimited: z.int().describe('Answers with status 429; they are among the client errors.'),
    lastUsedAt: z.date().nullable(),
    lastUsedIp: z.string().nullable(),
    lastUserAgent: z.string().nullable(),
  }),
  anomaly: z
    .object({ kind: z.literal('burst_from_new_network'), network: z.string(), calls: z.int(), at: z.date() })
    .nullable()
    .describe('The latest anomaly that nobody has dismissed.'),
});
export const createdApiKeyView = apiKeyView.extend({
  key: z.string().describe('The key itself. It is shown this once and cannot be recovered.'),
});
export const apiKeyPage = z.object({ data: z.array(apiKeyView), nextCursor: z.string().nullable() });

export const effectiveAccessView = z.object({
  keyId: z.string(),
  status: z.enum(apiKeyStatuses),
  scopes: z.array(z.object({ scope: z.string(), description: z.string() })),
  endpoints: z
    .array(
      z.object({
        method: z.string(),
        path: z.string(),
        operationId: z.string(),
        summary: z.string(),
        scopes: z.array(z.string()).describe('The scopes this endpoint asks for.'),
      }),
    )
    .describe('Everything the key may call now; empty unless its status is active.'),
});

export type CreateApiKeyInput = z.output<typeof createBody>;
export type ApiKeyView = z.output<typeof apiKeyView>;
export type EffectiveAccess = z.output<typeof effectiveAccessView>;
