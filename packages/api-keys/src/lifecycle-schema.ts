import { z } from 'zod';
import { apiKeyView, createBody, createdApiKeyView, revokeBody } from './schema.ts';

const { name, rateLimitPerMinute, expiresAt, allowedIps } = createBody.shape;
export const reason = revokeBody.unwrap().shape.reason.describe('Kept in the audit log.');

/** AWS, GitHub and others give a day; a week is the longest time that two secrets of a key may be valid. */
export const defaultOverlapSeconds = 86_400;
const maxOverlapSeconds = 604_800;

export const patchBody = z
  .strictObject({
    name: name.optional(),
    enabled: z.boolean().optional().describe('A disabled key is refused until it is enabled again.'),
    rateLimitPerMinute: rateLimitPerMinute.describe('Requests per minute.'),
    expiresAt: expiresAt.unwrap().nullable().optional().describe('The key stops working at this time; null: never.'),
    allowedIps: allowedIps.removeDefault().optional().describe('Replaces the whole list; empty means everywhere.'),
    reason,
  })
  .refine((body) => Object.entries(body).some(([field, value]) => field !== 'reason' && value !== undefined), {
    error: 'Give at least one of name, enabled, rateLimitPerMinute, expiresAt, allowedIps.',
  });

export const rotateBody = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(maxOverlapSeconds)
      .optional()
      .describe(
        'How long the old secret stays valid; default a day, or as before when an unused secret is replaced; at most a' +
          ' week, 0 ends it at once.',
      ),
    overlapFrom: z
      .enum(['now', 'first_use'])
      .optional()
      .describe(
        'When the overlap begins; default `now`. `first_use`: with the first accepted call that brings the new secret.',
      ),
    force: z
      .boolean()
      .default(false)
      .describe('Ends the secret of an earlier rotation that is still valid, at once, instead of refusing.'),
    reason,
  })
  .default({ force: false });

export const retireBody = z.strictObject({ reason }).optional();

export const secretView = z.object({
  id: z.uuid(),
  createdAt: z.date(),
  firstUsedAt: z.date().nullable(),
  lastUsedAt: z.date().nullable(),
  calls: z.int().describe('Accepted calls; up to a second late.'),
  expiresAt: z.date().nullable().describe('When this secret ends, by itself or with the key.'),
  leakReportedAt: z.date().nullable().describe('When somebody reported this secret as found in public.'),
  state: z
    .enum(['current', 'waiting', 'old', 'ended'])
    .describe('`waiting`: new, and the end of the old secret depends on its first use.'),
});

export const apiKeyDetailView = apiKeyView.extend({
  secrets: z.array(secretView).describe('Newest first; secrets that ended up to 90 days ago are among them.'),
});

export const rotatedApiKeyView = createdApiKeyView.extend({
  oldSecretExpiresAt: z
    .date()
    .nullable()
    .describe('When the old secret ends; null while that waits for the first use of the new one.'),
  replacedUnused: z
    .boolean()
    .describe('Whether an earlier new secret, which nobody had used, was ended: whoever got it needs this one.'),
});

export const retiredView = z.object({
  keyId: z.string(),
  endedSecrets: z.int().describe('How many old secrets this call ended; 0 when there was none.'),
  oldSecretLastUsedAt: z.date().nullable().describe('Latest accepted call with one of them; up to a second late.'),
  warning: z.string().nullable().describe('Set when one of them was used within the last hour.'),
});

export type PatchApiKeyInput = z.output<typeof patchBody>;
export type RotateApiKeyInput = z.output<typeof rotateBody>;
export type RotatedApiKeyView = z.output<typeof rotatedApiKeyView>;
export type RetiredView = z.output<typeof retiredView>;
export type SecretView = z.output<typeof secretView>;
