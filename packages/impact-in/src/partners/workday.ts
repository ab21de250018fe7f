import { z } from 'zod';
import type { Partner } from './partner.ts';
import { freeText, identifier, occurredAt } from './payload-fields.ts';
import { readPayload } from './read-payload.ts';

const eventTypes = ['activity.created', 'activity.updated', 'enrollment.confirmed'] as const;

const workdayEvent = z.looseObject({
  eventId: identifier.optional(),
  eventType: z.enum(eventTypes),
  activityId: identifier.nullish(),
  enrollmentId: identifier.nullish(),
  status: z.enum(['success', 'error']),
  message: freeText.nullish(),
  timestamp: occurredAt,
});

const entityKeyOf = (event: z.output<typeof workdayEvent>): string | null => {
  if (event.activityId) return `activity:${event.activityId}`;
  return event.enrollmentId ? `enrollment:${event.enrollmentId}` : null;
};

export const workday: Partner = {
  name: 'workday',
  title: 'Workday',
  eventTypes,
  read: (payload) =>
    readPayload(workdayEvent, payload, (event) => ({
      eventId: event.eventId ?? null,
      eventType: event.eventType,
      correlationId: event.activityId ?? event.enrollmentId ?? null,
      entityKey: entityKeyOf(event),
      status: event.status === 'error' ? 'failed' : 'success',
      occurredAt: event.timestamp,
    })),
  // The payload names no account, so Workday needs the address of its endpoint.
  accountHint: () => null,
};
