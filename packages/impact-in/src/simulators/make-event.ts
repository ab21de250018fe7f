import { createHash } from 'node:crypto';
import type { PartnerName } from '../verification/profile.ts';

export type EventSeed = {
  /** The same seed and time make the same event, byte for byte. */
  seed: string;
  nowMs: number;
  /** One of the partner's; otherwise chosen by the seed. */
  eventType?: string;
  /** Transaction or activity id; otherwise made from the seed. */
  correlationId?: string;
  /** Length of a filler field, to reach a wanted body size. */
  fillerCharacters?: number;
};

export type SimulatedEvent = { eventId: string; eventType: string; payload: Record<string, unknown>; body: Buffer };

const derive = (partner: PartnerName, seed: string, purpose: string): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([partner, seed, purpose]))
    .digest();

const idFrom = (prefix: string, bytes: Buffer): string => `${prefix}_${bytes.toString('hex').slice(0, 20)}`;

type Draft = { eventId: string; correlationId: string; timestamp: string; seeded: number };
type Maker = { idPrefix: string; payloads: Record<string, (draft: Draft) => Record<string, unknown>> };

const benevity = (type: string, status: string) => (draft: Draft) => ({
  event_id: draft.eventId,
  event_type: type,
  transaction_id: draft.correlationId,
  organization_id: `org_${draft.seeded % 50}`,
  status,
  timestamp: draft.timestamp,
  ...(type === 'delivery.failed' ? { error_message: 'The receiving charity could not be found.' } : {}),
});

const goodera = (type: string, status: string) => (draft: Draft) => ({
  eventId: draft.eventId,
  eventType: type,
  transactionId: draft.correlationId,
  projectId: `project_${draft.seeded % 50}`,
  status,
  recordsProcessed: draft.seeded,
  timestamp: draft.timestamp,
  ...(type === 'data.failed' ? { error: 'Two rows have no volunteer.' } : {}),
});

const workday = (type: string, subject: 'activityId' | 'enrollmentId') => (draft: Draft) => ({
  eventId: draft.eventId,
  eventType: type,
  [subject]: draft.correlationId,
  status: 'success',
  message: 'Volunteering hours were recorded.',
  timestamp: draft.timestamp,
});

const makers: Record<PartnerName, Maker> = {
  benevity: {
    idPrefix: 'txn',
    payloads: {
      'delivery.success': benevity('delivery.success', 'success'),
      'delivery.failed': benevity('delivery.failed', 'failed'),
      'delivery.retry': benevity('delivery.retry', 'retry'),
    },
  },
  goodera: {
    idPrefix: 'txn',
    payloads: {
      'data.received': goodera('data.received', 'processing'),
      'data.processed': goodera('data.processed', 'success'),
      'data.failed': goodera('data.failed', 'failed'),
    },
  },
  workday: {
    idPrefix: 'wid',
    payloads: {
      'activity.created': workday('activity.created', 'activityId'),
      'activity.updated': workday('activity.updated', 'activityId'),
      'enrollment.confirmed': workday('enrollment.confirmed', 'enrollmentId'),
    },
  },
};

/** Makes one realistic event of a partner. @throws RangeError when the partner has no such event type */
export const makeEvent = (partner: PartnerName, from: EventSeed): SimulatedEvent => {
  const { idPrefix, payloads } = makers[partner];
  const seeded = derive(partner, from.seed, 'figures').readUInt16BE(0);
  const types = Object.keys(payloads);
  const eventType = from.eventType ?? types[seeded % types.length] ?? '';
  const payloadOf = payloads[eventType];
  if (payloadOf === undefined) throw new RangeError(`${partner} sends no event of type ${eventType}`);
  const eventId = idFrom('evt', derive(partner, from.seed, 'event'));
  const correlationId = from.correlationId ?? idFrom(idPrefix, derive(partner, from.seed, 'correlation'));
  const payload: Record<string, unknown> = payloadOf({
    eventId,
    correlationId,
    timestamp: new Date(from.nowMs).toISOString(),
    seeded,
  });
  if (from.fillerCharacters !== undefined) payload['filler'] = 'x'.repeat(from.fillerCharacters);
  return { eventId, eventType, payload, body: Buffer.from(JSON.stringify(payload)) };
};
