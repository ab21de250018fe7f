import { integerInput, lineInput, pageQuery, timestampInput } from '@impact-hub/core';
import { z } from 'zod';
import { deliveryView, type deliveryDetail } from '../deliveries/schema.ts';
import { partnerName } from '../endpoints/schema.ts';
import { deliveryOutcomes, deliveryStatuses } from '../tables.ts';
import { itemStates, replayKinds, replayLimits, replayStates } from './replay.ts';

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

const searchText = lineInput(256);

const options = {
  dryRun: z.boolean().default(false).describe('Counts what would be replayed, shows a sample and changes nothing.'),
  ratePerSecond: z
    .int()
    .min(1)
    .max(replayLimits.maxRatePerSecond)
    .default(replayLimits.defaultRatePerSecond)
    .describe('Deliveries begun per second at most; live traffic goes first in any case.'),
  includeSucceeded: z
    .boolean()
    .default(false)
    .describe('Sends outbound deliveries again that succeeded, under the same idempotency key.'),
  reason: lineInput(500).optional().describe('Kept with the replay and in the audit log.'),
};
const noOptions = { dryRun: false, ratePerSecond: replayLimits.defaultRatePerSecond, includeSucceeded: false };

type Window = { from?: Date | undefined; to?: Date | undefined };
const isOrdered = ({ from, to }: Window): boolean => from === undefined || to === undefined || from < to;
const order = { error: 'Must be before `to`.', path: ['from'] };

const endpointId = z.uuid('must be the id of an endpoint').optional();
const from = timestampInput.optional().describe('Received at or after.');
const to = timestampInput.optional().describe('Received before; nothing that arrives after the request in any case.');

const filterFields = {
  partner: partnerName.optional(),
  endpointId,
  direction: oneOf(['inbound', 'outbound']).optional(),
  status: oneOf(deliveryStatuses).optional(),
  outcome: oneOf(deliveryOutcomes).optional().describe('`dead`: processing was given up.'),
  eventType: searchText.optional(),
  correlationId: searchText.optional(),
  to,
};

export const replayOneBody = z
  .strictObject({
    dryRun: options.dryRun,
    includeSucceeded: options.includeSucceeded,
    reason: options.reason,
  })
  .default({ dryRun: false, includeSucceeded: false });

export const bulkReplayBody = z
  .strictObject({
    ids: z
      .array(z.uuid('must be the id of a delivery'))
      .min(1, 'must not be empty')
      .max(replayLimits.ids, `must be at most ${replayLimits.ids} ids; a time window has no limit`)
      .optional()
      .describe('Deliveries by their ids; those that the company does not have are left out.'),
    from: from.describe('Begins a time window by when deliveries were received; all fields of a filter must match.'),
    ...filterFields,
    ...options,
  })
  .superRefine((body, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (body.ids === undefined && body.from === undefined)
      refuse('from', 'Give either `ids`, or a window with `from`.');
    if (!isOrdered(body)) refuse('from', order.error);
    if (body.ids === undefined) return;
    for (const field of ['from', ...Object.keys(filterFields)] as const)
      if (body[field as keyof typeof body] !== undefined) refuse(field, 'Cannot be given together with `ids`.');
  });
export type BulkReplayInput = z.output<typeof bulkReplayBody>;

const { status: _status, ...failedFields } = filterFields;

export const retryFailedBody = z
  .strictObject({ ...failedFields, from, ...options })
  .refine(isOrdered, order)
  .default(noOptions);

export const replayListQuery = z.strictObject({
  ...pageQuery,
  state: oneOf(replayStates).optional(),
  kind: oneOf(replayKinds).optional(),
});
export const replayParams = z.strictObject({ id: z.uuid('must be the id of a replay') });
export const itemListQuery = z.strictObject({
  limit: integerInput(1, 200).default(50).describe('Rows per page.'),
  cursor: z.uuid('Use the nextCursor of an earlier answer, unchanged.').optional(),
  state: oneOf(itemStates).optional(),
});

export const itemView = z.object({
  deliveryId: z.uuid(),
  state: z
    .enum(itemStates)
    .describe('selected: its turn has not come; started: its job is yet to tell; the others are how it ended.'),
  reason: z.string().nullable().describe('Why it failed or was skipped.'),
  startedAt: z.date().nullable(),
});
export type ReplayItemView = z.output<typeof itemView>;
export const itemPage = z.object({ data: z.array(itemView), nextCursor: z.string().nullable() });

export const replayView = z.object({
  id: z.uuid(),
  kind: z.enum(replayKinds),
  state: z
    .enum(replayStates)
    .describe('waiting: for the replay of the company before it; failed: its steps failed for 15 minutes; resume it.'),
  filter: z.record(z.string(), z.string()).nullable(),
  includeSucceeded: z.boolean(),
  ratePerSecond: z.int(),
  reason: z.string().nullable(),
  requestedBy: z.object({ kind: z.string(), id: z.string() }),
  snapshotAt: z.date().describe('Deliveries received later do not belong to it.'),
  selected: z.int().describe('Deliveries it is about; still growing while `isSelected` is false.'),
  isSelected: z.boolean(),
  done: z.int().describe('Of these, how many have ended: the sum of the three that follow.'),
  succeeded: z.int(),
  failed: z.int(),
  skipped: z.int(),
  inFlight: z.int().describe('Started, and waiting for their jobs.'),
  heldBy: z
    .enum(['live_traffic', 'own_deliveries'])
    .nullable()
    .describe('Why it begins nothing at the moment: live traffic goes first, or too many of its own are unfinished.'),
  rate: z.number().nullable().describe('Deliveries per second so far.'),
  eta: z.date().nullable().describe('When it will have ended if it goes on like this.'),
  lastError: z.string().nullable().describe('What the latest step failed with.'),
  createdAt: z.date(),
  startedAt: z.date().nullable(),
  finishedAt: z.date().nullable(),
});
export type ReplayView = z.output<typeof replayView>;
export const replayPage = z.object({ data: z.array(replayView), nextCursor: z.string().nullable() });
export const replayDetail = replayView.extend({
  failures: itemPage.describe(
    'The first of those that failed, with the reason; the rest is at `…/items?state=failed`.',
  ),
});

export type DeliveryDetail = z.output<typeof deliveryDetail>;

export const dryRunView = z.object({
  dryRun: z.literal(true),
  selected: z.int().describe('Deliveries that would be replayed, counted exactly.'),
  sample: z
    .array(
      deliveryView.pick({
        id: true,
        direction: true,
        partner: true,
        eventType: true,
        correlationId: true,
        status: true,
        outcome: true,
        receivedAt: true,
      }),
    )
    .describe('The oldest of them.'),
});
