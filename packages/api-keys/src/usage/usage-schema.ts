import { timestampInput } from '@impact-hub/core';
import { z } from 'zod';
import { keyParams } from '../schema.ts';

export const statsQuery = z.strictObject({
  from: timestampInput.optional().describe('Default: 24 hours before `to`. Taken to the full hour or day.'),
  to: timestampInput.optional().describe('Default: now. At most 92 days after `from`.'),
  keyId: keyParams.shape.keyId.optional().describe('Only the usage of this key.'),
  interval: z
    .enum(['hour', 'day'])
    .optional()
    .describe('Default: `hour` up to three days, `day` beyond. Days are those of UTC.'),
});

const counts = { calls: z.int(), clientErrors: z.int(), serverErrors: z.int(), rateLimited: z.int() };

export const statsView = z.object({
  from: z.date(),
  to: z.date(),
  interval: z.enum(['hour', 'day']),
  keys: z
    .object({
      total: z.int(),
      active: z.int(),
      disabled: z.int(),
      expired: z.int(),
      revoked: z.int(),
      expiringSoon: z.int().describe('Active and ending within 30 days.'),
      idle: z.int().describe('Active and not used for 90 days.'),
      neverExpiring: z.int().describe('Active and without an end.'),
      rotating: z.int().describe('Active with an old secret that is still valid.'),
      flagged: z.int().describe('With an anomaly that nobody has dismissed.'),
    })
    .describe('All keys of the company now.'),
  totals: z.object(counts),
  series: z.array(z.object({ at: z.date(), ...counts })).describe('Without gaps; up to a second late.'),
  topKeys: z.array(z.object({ keyId: z.string(), name: z.string(), ...counts })).describe('The ten busiest.'),
});

const finding = z.object({ keyId: z.string(), name: z.string(), why: z.string(), nextStep: z.string() });
const findings = z.object({
  count: z.int().describe('All of them; `keys` holds the first 100.'),
  keys: z.array(finding),
});

export const hygieneView = z.object({
  expiring: findings.describe('Ending within 30 days.'),
  idle: findings.describe('Not used for 90 days.'),
  neverExpire: findings.describe('Without an end.'),
  oldSecretStillUsed: findings.describe('Rotated, and the old secret was used after the new one was made.'),
  waitingForFirstUse: findings.describe('Rotated, and the new secret was never used while the old one is valid.'),
});

export type StatsQuery = z.output<typeof statsQuery>;
export type StatsView = z.output<typeof statsView>;
export type HygieneView = z.output<typeof hygieneView>;
