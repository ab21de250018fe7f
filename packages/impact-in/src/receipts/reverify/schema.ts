import { timestampInput } from '@impact-hub/core';
import { z } from 'zod';
import { partnerName } from '../../endpoints/schema.ts';
import { reverificationResults, reverifyResults } from './find-reverification.ts';

const maxAtOnce = 500;
const dryRun = z.boolean().default(false).describe('Says what would be taken now, and changes nothing.');

const selection = z
  .strictObject({
    ids: z
      .array(z.uuid('must be the id of a receipt'))
      .min(1, 'must not be empty')
      .max(maxAtOnce, `must be at most ${maxAtOnce} ids`)
      .optional(),
    outcome: z.enum(['rejected', 'quarantined'], { error: 'must be rejected or quarantined' }).optional(),
    partner: partnerName.optional(),
    endpointId: z.uuid('must be the id of an endpoint').optional(),
    from: timestampInput.optional().describe('Received at or after; default: 24 hours before `to`.'),
    to: timestampInput.optional().describe('Received before; default: now.'),
    limit: z.int().min(1).max(maxAtOnce).default(100).describe('Receipts looked at in this call.'),
    cursor: z.string().min(1).max(200).optional().describe('`nextCursor` of the call before, for the next ones.'),
    dryRun,
  })
  .superRefine(({ ids, outcome, partner, endpointId, from, to, cursor }, context) => {
    const isWindow = [partner, endpointId, from, to, cursor, outcome].some((field) => field !== undefined);
    if (ids !== undefined && isWindow)
      context.addIssue({ code: 'custom', path: ['ids'], message: 'must be given alone, or left out for a window' });
    if (ids === undefined && outcome === undefined)
      context.addIssue({ code: 'custom', path: ['outcome'], message: 'must be given for a window' });
    if (from !== undefined && to !== undefined && from >= to)
      context.addIssue({ code: 'custom', path: ['from'], message: 'must be before `to`' });
  });
export const reverifyBody = selection;
export type ReverifyInput = z.output<typeof reverifyBody>;

export const reverificationView = z.object({
  receiptId: z.uuid().describe('Also the id of its delivery, once it is accepted and processed.'),
  result: z
    .enum(reverificationResults)
    .describe('refused can be tried again; everything else stands: the event was taken, or had been taken before.'),
  reason: z.string().nullable().describe('Why it was refused.'),
  originalId: z.uuid().nullable().describe('Of a duplicate or conflict: the receipt that had the event first.'),
});

export const reverifyAnswer = reverificationView.extend({
  result: z
    .enum(reverifyResults)
    .describe(
      'refused can be tried again; already_taken: an earlier call decided it; everything else stands from now on: the event was taken, or a copy of it had been.',
    ),
  taken: z.enum(reverificationResults).nullable().describe('Of already_taken: what had become of it.'),
});

export const reverificationPage = z.object({
  dryRun: z.boolean(),
  counts: z.record(z.enum(reverifyResults), z.int()),
  data: z.array(reverifyAnswer),
  nextCursor: z.string().nullable(),
});
