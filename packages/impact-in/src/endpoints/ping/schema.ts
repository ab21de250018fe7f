import { z } from 'zod';

export const pingBody = z
  .strictObject({
    secretId: z
      .uuid('must be the id of a secret')
      .optional()
      .describe('Sign with this secret of the endpoint, also one that has ended; the newest one when left out.'),
  })
  .optional();

export const pingView = z.object({
  signed: z
    .boolean()
    .describe('Whether the hub has what the partner proves itself with; if not, `checks` is all that could be tried.'),
  accepted: z.boolean().nullable().describe('What the receiver made of it; null when nothing could be signed.'),
  reason: z.string().nullable().describe('Why it was not accepted, as receipts say it.'),
  signedWithSecretId: z.uuid().nullable(),
  matchedSecretId: z.uuid().nullable().describe('The secret that the receiver recognised.'),
  receiptId: z.uuid().nullable().describe('Its receipt, with the outcome `test`; there is no delivery.'),
  eventId: z.string().nullable(),
  latencyMs: z.number().nullable().describe('From the arrival of the signed request until it was durably stored.'),
  checks: z.array(
    z.object({
      check: z.string(),
      passed: z.boolean().nullable().describe('Null: this cannot be tried from here.'),
      detail: z.string(),
    }),
  ),
});
export type PingView = z.output<typeof pingView>;
export type PingCheck = PingView['checks'][number];
