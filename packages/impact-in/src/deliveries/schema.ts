import { pageQuery, timestampInput } from '@impact-hub/core';
import { z } from 'zod';
import { partnerName } from '../endpoints/schema.ts';
import { holdingReasons } from '../outbound/deliveries/held-by.ts';
import { reverificationResults } from '../receipts/reverify/find-reverification.ts';
import { pointerPattern } from '../receipts/search/read-terms.ts';
import { awaitingConfirmation } from '../inbox/store-receipts.ts';
import { deliveryOutcomes, deliveryStatuses, receiptOutcomes } from '../tables.ts';
import { verificationFailures, type VerificationFailure } from '../verification/verification-failure.ts';

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

const searchText = z
  .string()
  .min(1, 'must not be empty')
  .max(256, 'must be at most 256 characters')
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters');

const common = {
  ...pageQuery,
  partner: partnerName.optional(),
  endpointId: z.uuid('must be the id of an endpoint').optional(),
  eventId: searchText.optional().describe("The partner's id of the event."),
  correlationId: searchText.optional().describe('What the event reports on, such as a transaction id.'),
  from: timestampInput.optional().describe('Received at or after.'),
  to: timestampInput.optional().describe('Received before.'),
};

export const deliveryListQuery = z
  .strictObject({
    ...common,
    status: oneOf(deliveryStatuses).optional(),
    outcome: oneOf(deliveryOutcomes)
      .optional()
      .describe('`dead`: processing or sending was given up; the other failed ones are what partners reported.'),
    eventType: searchText.optional().describe('Goes back 30 days unless `from` says otherwise.'),
    direction: oneOf(['inbound', 'outbound']).optional(),
    field: z
      .string()
      .max(200, 'must be at most 200 characters')
      .regex(pointerPattern, 'must be a JSON pointer such as /project/id')
      .optional()
      .describe('With `value`: a field of the payload that is made searchable for the endpoint.'),
    value: searchText.optional().describe('With `field`: its whole value.'),
  })
  .refine(({ field, value }) => (field === undefined) === (value === undefined), {
    error: 'must be given together with `value`',
    path: ['field'],
  });

/** Why a request was refused or an event quarantined; what else the reason says comes after a colon. */
const receiptReasons = [
  ...(Object.keys(verificationFailures) as [VerificationFailure, ...VerificationFailure[]]),
  'endpoint_paused',
  'not_json',
  'schema_mismatch',
  'unstorable_value',
  awaitingConfirmation,
] as const;

export const receiptListQuery = z.strictObject({
  ...common,
  outcome: oneOf(receiptOutcomes).optional(),
  reason: z
    .enum(receiptReasons, { error: 'must be the reason of a receipt, up to its colon' })
    .optional()
    .describe('Why it was rejected or quarantined, up to the colon.'),
  requestId: searchText.optional().describe('The `requestId` of the answer, a 401 too.'),
  taken: z
    .enum(['true', 'false'], { error: 'must be true or false' })
    .transform((value) => value === 'true')
    .optional()
    .describe('`false`: rejected and quarantined ones that still wait for somebody; `true`: those taken since.'),
});
export const statsQuery = z.strictObject({
  from: timestampInput.optional().describe('Default: 24 hours before `to`.'),
  to: timestampInput.optional().describe('Default: now.'),
});
export const deliveryParams = z.strictObject({ id: z.uuid('must be the id of a delivery') });
export const receiptParams = z.strictObject({ id: z.uuid('must be the id of a receipt') });

const status = z.enum(deliveryStatuses);

export const deliveryView = z.object({
  id: z
    .uuid()
    .describe(
      'Of an inbound delivery: the id of its receipt; of an outbound one: the idempotency key it is sent with.',
    ),
  direction: z.enum(['inbound', 'outbound']),
  partner: partnerName,
  endpointId: z.uuid().nullable(),
  eventId: z.string().nullable(),
  eventType: z.string(),
  correlationId: z.string().nullable(),
  status: status.describe(
    'Where it stands; an open one (pending, retrying) is settled by later events of the same correlation.',
  ),
  reported: status.nullable().describe('What this event itself reported; null until it is processed.'),
  outcome: z
    .enum(deliveryOutcomes)
    .describe(
      'applied: the newest event of its correlation when processed; superseded: a newer one came first; waiting: processing will be tried again; dead: it was given up.',
    ),
  attempts: z.int().describe('Attempts at processing or sending so far.'),
  occurredAt: z.date().nullable(),
  receivedAt: z.date(),
  processedAt: z.date().nullable(),
  settledBy: z.uuid().nullable().describe('The later delivery that settled this one.'),
  lastError: z.string().nullable(),
  updatedAt: z.date(),
});
export const deliveryPage = z.object({ data: z.array(deliveryView), nextCursor: z.string().nullable() });
const headers = z.record(z.string(), z.string());
const exchange = z.object({
  request: z.object({ method: z.string(), url: z.string(), headers, body: z.string() }),
  response: z.object({ status: z.int(), headers, body: z.string() }).nullable(),
});

export const deliveryDetail = deliveryView.extend({
  sending: z
    .object({
      connectionId: z.uuid(),
      transactionId: z.string(),
      partnerTransactionId: z.string().nullable().describe('What the partner calls it, by its answer.'),
      nextAttemptAt: z.date().nullable(),
      heldBy: z
        .enum(holdingReasons)
        .nullable()
        .describe(
          'Why it is not sent although its time has come: its connection is paused, its circuit is open, or its rate or a pause the partner asked for leaves no call; costs no attempt.',
        ),
      heldUntil: z.date().nullable().describe('Null when nothing holds it, or until the connection is resumed.'),
    })
    .nullable()
    .describe('Of outbound deliveries.'),
  attemptLog: z.array(
    z.object({
      number: z.int(),
      result: z
        .enum(['success', 'failure', 'started', 'unknown'])
        .describe('started: under way; unknown: the partner may have received it, and no answer came.'),
      error: z.string().nullable(),
      replayId: z.uuid().nullable().optional().describe('The replay that caused this attempt.'),
      at: z.date().optional().describe('Of inbound deliveries: when it was tried.'),
      startedAt: z.date().optional().describe('Of outbound deliveries, as what follows.'),
      endedAt: z.date().nullable().optional(),
      httpStatus: z.int().nullable().optional(),
      errorClass: z.string().nullable().optional(),
      nextAttemptAt: z.date().nullable().optional(),
      exchange: exchange
        .nullable()
        .optional()
        .describe('Request and answer without secrets and personal data; null when there was none.'),
    }),
  ),
});

export const receiptView = z.object({
  id: z.uuid(),
  receivedAt: z.date(),
  endpointId: z.uuid(),
  partner: partnerName,
  outcome: z.enum(receiptOutcomes),
  reason: z.string().nullable().describe('Why it was rejected or quarantined.'),
  eventId: z.string().nullable(),
  eventType: z.string().nullable(),
  correlationId: z.string().nullable(),
  secretId: z
    .string()
    .nullable()
    .describe('The secret that proved who sent it; of an OAuth token, the key it was signed with.'),
  requestId: z.string(),
  originalId: z.uuid().nullable().describe('Of a duplicate or conflict: the receipt that had the event first.'),
  bodyBytes: z.int(),
  latencyMs: z
    .number()
    .describe('From arrival until the receipt went to the database; of a rejected one, until it was answered.'),
});
export const shownReceipt = receiptView.extend({
  taken: z
    .boolean()
    .nullable()
    .describe(
      'Of a rejected or quarantined one: whether its event was taken later, verified again or confirmed by the partner.',
    ),
  reverification: z
    .object({
      result: z.enum(reverificationResults),
      reason: z.string().nullable(),
      originalId: z.uuid().nullable(),
      at: z.date(),
    })
    .nullable()
    .describe('When it was last verified again, and what came of it.'),
});
export const receiptPage = z.object({ data: z.array(shownReceipt), nextCursor: z.string().nullable() });

const counts = z.record(z.string(), z.int());
export const statsView = z.object({
  from: z.date(),
  to: z.date(),
  deliveries: z.object({
    total: z.int(),
    byStatus: counts,
    byOutcome: counts.describe('`dead` are those that the hub gave up, whatever was reported.'),
    byPartner: z.record(z.string(), counts),
    successRatio: z
      .number()
      .nullable()
      .describe(
        'Of those that have ended: share of successes; null without any. Mostly what the partners reported of their own transfers, which says nothing of how well the hub works.',
      ),
  }),
  receipts: z.object({
    total: z.int(),
    byOutcome: counts,
    byPartner: z.record(z.string(), counts),
    acceptedRatio: z
      .number()
      .nullable()
      .describe('Share of receipts that were authentic and readable; null without any.'),
  }),
  replays: z
    .object({ succeeded: z.int(), failed: z.int(), successRatio: z.number().nullable() })
    .describe('Deliveries of the replays begun in the range.'),
  backlog: z
    .object({
      receipts: z.int().describe('Accepted and not yet processed.'),
      oldestSeconds: z.number().describe('Age of the oldest of them.'),
      dead: z.int().describe('Given up; replay them once the cause is mended.'),
    })
    .describe('Now, whatever the range.'),
});
