import { z } from 'zod';
import { receiptView } from '../../deliveries/schema.ts';
import { reverificationView } from '../reverify/schema.ts';

export const explanationView = z.object({
  receipt: receiptView,
  scheme: z.string().nullable().describe('Of the endpoint, as it is today.'),
  summary: z.string(),
  checks: z
    .array(
      z.object({
        name: z.string(),
        outcome: z.enum(['passed', 'failed', 'not_reached']),
        detail: z.string(),
        advice: z.string().nullable(),
      }),
    )
    .describe('Every decision about the request, in the order in which it was made.'),
  findings: z
    .array(z.object({ name: z.string(), detail: z.string(), advice: z.string(), secretId: z.uuid().nullable() }))
    .describe('What the kept copy proves about the cause; empty when nothing can be proven.'),
  secrets: z.object({ atArrival: z.array(z.uuid()), today: z.array(z.uuid()) }).describe('Ids of the valid secrets.'),
  original: receiptView.nullable().describe('Of a duplicate or conflict: the receipt that had the event first.'),
  reverification: reverificationView.nullable().describe('What became of it when it was verified again.'),
  differsAt: z
    .array(z.string())
    .nullable()
    .describe(
      'Of a conflict: JSON pointers to what differs from the original, at most 50; null when it cannot be told.',
    ),
});
