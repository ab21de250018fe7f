import { z } from 'zod';
import type { Partner, PartnerEvent } from './partner.ts';
import { freeText, identifier, occurredAt } from './payload-fields.ts';
import { readPayload, textField } from './read-payload.ts';

const statusOf = {
  'data.received': 'pending',
  'data.processed': 'success',
  'data.failed': 'failed',
} as const satisfies Record<string, PartnerEvent['status']>;

const eventTypes = Object.keys(statusOf) as (keyof typeof statusOf)[];

const gooderaEvent = z.looseObject({
  eventId: identifier.optional(),
  eventType: z.enum(eventTypes),
  transactionId: identifier,
  projectId: identifier,
  status: z.enum(['success', 'failed', 'processing']),
  recordsProcessed: z.int().nonnegative().nullish(),
  error: freeText.nullish(),
  timestamp: occurredAt,
});

export const goodera: Partner = {
  name: 'goodera',
  title: 'Goodera',
  eventTypes,
  read: (payload) =>
    readPayload(gooderaEvent, payload, (event) => ({
      eventId: event.eventId ?? null,
      eventType: event.eventType,
      correlationId: event.transactionId,
      entityKey: `transaction:${event.transactionId}`,
      // A failure is believed wherever it is reported; `data.processed` with `failed` is no success.
      status: event.status === 'failed' ? 'failed' : statusOf[event.eventType],
      occurredAt: event.timestamp,
    })),
  accountHint: (payload) => textField(payload, 'projectId'),
};
