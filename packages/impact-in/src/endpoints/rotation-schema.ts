import { lineInput } from '@impact-hub/core';
import { z } from 'zod';
import { createdEndpointView, createEndpointBody } from './schema.ts';

/** As for API keys: others give a day; a week is the longest time that two secrets may be valid. */
const [defaultOverlapSeconds, maxOverlapSeconds] = [86_400, 604_800];

export const reason = lineInput(500).optional().describe('Kept in the audit log.');

export const rotateSecretBody = z
  .strictObject({
    overlapSeconds: z
      .int()
      .min(0)
      .max(maxOverlapSeconds)
      .default(defaultOverlapSeconds)
      .describe('How long the old secret stays valid; a day by default, a week at most, 0 ends it at once.'),
    force: z
      .boolean()
      .default(false)
      .describe('Ends the secret of an earlier rotation that is still valid, at once, instead of refusing.'),
    secret: createEndpointBody.shape.secret,
    reason,
  })
  .default({ overlapSeconds: defaultOverlapSeconds, force: false });
export type RotateSecretInput = z.output<typeof rotateSecretBody>;

export const rotatedEndpointView = createdEndpointView.extend({
  oldSecretEndsAt: z.date().nullable().describe('Until when the secret before is accepted; null: it ended at once.'),
});

export const retireSecretBody = z.strictObject({ reason }).optional();
export const secretParams = z.strictObject({
  id: z.uuid('must be the id of an endpoint'),
  secretId: z.uuid('must be the id of a secret'),
});
