import { z } from 'zod';
import type { Partner, PartnerEvent } from './partner.ts';
import { freeText, identifier, occurredAt } from './payload-fields.ts';
import { readPayload, textField } from './read-payload.ts';

const statusOf = {
  'delivery.success': 'success',
  'delivery.failed': 'failed',
  'delivery.retry': 'retrying',
} as const satisfies Record<string, PartnerEvent['status']>;

const eventTypes = Object.keys(statusOf) as (keyof typeof statusOf)[];

/** Fields beyond these are kept in the stored bytes and ignored, so that the partner can add some. */
const benevityEvent = z.looseObject({
  event_id: identifier.optional(),
  event_type: z.enum(eventTypes),
  transaction_id: identifier,
  organization_id: identifier,
  status: identifier,
  timestamp: occurredAt,
  error_message: freeText.nullish(),
});

export const benevity: Partner = {
  name: 'benevity',
  title: 'Benevity',
  eventTypes,
  read: (payload) =>
    readPayload(benevityEvent, payload, (event) => ({
      eventId: event.event_id ?? null,
      eventType: event.event_type,
      correlationId: event.transaction_id,
      entityKey: `transaction:${event.transaction_id}`,
      status: statusOf[event.event_type],
      occurredAt: event.timestamp,
    })),
  accountHint: (payload) => textField(payload, 'organization_id'),
};
