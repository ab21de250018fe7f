import { lineInput } from '@impact-hub/core';
import { z } from 'zod';
import { partnerName } from '../../endpoints/schema.ts';
import { impactEvent } from '../impact-event.ts';

const transactionId = lineInput(128)
  .regex(/^[\x21-\x7e]+$/, 'Must be visible ASCII characters without spaces.')
  .describe('Yours, unique for the connection; made up when left out. The partner’s webhooks name it.');
const eventType = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*$/, 'Must be lower case, such as impact.recorded.')
  .max(100, 'Must have at most 100 characters.');

export const sendDeliveryBody = z
  .strictObject({
    connectionId: z.uuid('must be the id of a connection').optional(),
    partner: partnerName
      .optional()
      .describe('Instead of `connectionId`, when the company has one active connection to it.'),
    transactionId: transactionId.optional(),
    eventType: eventType.default('impact.recorded'),
    payload: impactEvent,
  })
  .refine(({ connectionId, partner }) => (connectionId === undefined) !== (partner === undefined), {
    message: 'Give either connectionId or partner.',
    path: ['connectionId'],
  });
export type SendDelivery = z.output<typeof sendDeliveryBody>;

export const maxDeliveriesPerCall = 100;

export const sendDeliveriesBody = z.strictObject({
  deliveries: z
    .array(sendDeliveryBody)
    .min(1, 'Give at least one delivery.')
    .max(maxDeliveriesPerCall, `Give at most ${maxDeliveriesPerCall} deliveries.`),
});
