import { keepable, lineInput, timestampInput } from '@impact-hub/core';
import { z } from 'zod';

const identifier = lineInput(128);

/**
 * What a company tells a partner: somebody did something for a cause. One form for all partners; each API's `fields`
 * say how it names them.
 */
export const impactEvent = z
  .strictObject({
    participantId: identifier.optional().describe('The partner’s or your own id of the person; stored encrypted.'),
    activity: lineInput(200).describe('What was done.'),
    activityType: lineInput(100).optional().describe('Such as volunteering, mentoring or donation.'),
    projectId: identifier.optional().describe('Goodera’s project.'),
    organizationId: identifier.optional().describe('Benevity’s organization.'),
    hours: z.number().min(0).max(10_000).optional(),
    amount: z.number().min(0).max(1_000_000_000_000).optional().describe('In units of `currency`.'),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'Use the three letters of ISO 4217, such as EUR.')
      .optional(),
    beneficiaries: z.int().min(0).max(1_000_000_000).optional(),
    occurredAt: timestampInput.describe('When it was done.'),
    description: keepable(z.string().max(2_000, 'Must have at most 2000 characters.')).optional(),
  })
  .refine((event) => event.hours !== undefined || event.amount !== undefined || event.beneficiaries !== undefined, {
    message: 'Say how much it was: hours, amount or beneficiaries.',
  })
  .refine((event) => (event.amount === undefined) === (event.currency === undefined), {
    message: 'An amount needs a currency, and a currency an amount.',
    path: ['currency'],
  });
export type ImpactEvent = z.output<typeof impactEvent>;

/** An event as it is kept until it is delivered, with the names it goes by. */
export type OutboundEvent = Omit<ImpactEvent, 'occurredAt'> & {
  occurredAt: string;
  deliveryId: string;
  transactionId: string;
  eventType: string;
};

/** Fields that say something about a person; logs of attempts leave their values out. */
export const personalFields = ['participantId', 'description'] as const satisfies readonly (keyof ImpactEvent)[];
