import { z } from 'zod';
import { reason } from './rotation-schema.ts';
import { jwtSettings } from './scheme-settings.ts';
import { createEndpointBody } from './schema.ts';

const { name, hint, toleranceSeconds, bodyLimitBytes, allowedNetworks, expectedEverySeconds } =
  createEndpointBody.shape;

/** What can change while the partner goes on sending as before. Another scheme is another endpoint. */
export const changeEndpointBody = z
  .strictObject({
    name: name.optional(),
    hint: hint.unwrap().nullable().optional().describe('Null takes it away.'),
    toleranceSeconds: toleranceSeconds.removeDefault().optional(),
    bodyLimitBytes: bodyLimitBytes.removeDefault().optional(),
    allowedNetworks: allowedNetworks
      .unwrap()
      .nullable()
      .optional()
      .describe('Replaces the whole list; null: anyone may send.'),
    expectedEverySeconds: expectedEverySeconds.unwrap().nullable().optional().describe('Null: nobody waits for it.'),
    jwt: jwtSettings
      .optional()
      .describe('For schemes whose tokens the partner signs: its new keys. Replaces all of it.'),
    reason,
  })
  .refine((change) => Object.entries(change).some(([field, value]) => field !== 'reason' && value !== undefined), {
    error:
      'Give at least one of name, hint, toleranceSeconds, bodyLimitBytes, allowedNetworks, expectedEverySeconds, jwt.',
  });
export type EndpointChangeInput = z.output<typeof changeEndpointBody>;

export const deleteEndpointBody = z.strictObject({ reason }).optional();
export const deletedEndpointView = z.object({ id: z.uuid(), deletedAt: z.date() });
