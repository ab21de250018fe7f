import { pageQuery, timestampInput } from '@impact-hub/core';
import { z } from 'zod';
import { auditActorKinds, auditCategories, auditResults, auditSeverities } from './audit-event.ts';
import { maxSearchTextLength } from './search-text.ts';

const searchText = z
  .string()
  .min(1, 'Leave the field out instead of sending it empty.')
  .max(maxSearchTextLength, `Use at most ${maxSearchTextLength} characters.`)
  .regex(/^\P{Cc}*$/u, 'Use no control characters.');

const oneOf = <const V extends readonly [string, ...string[]]>(values: V) =>
  z.enum(values, `Use one of: ${values.join(', ')}.`);

export const eventFilter = {
  type: searchText.optional().describe('Exact event type, e.g. `api_key.created`.'),
  category: oneOf(auditCategories).optional(),
  severity: oneOf(auditSeverities).optional(),
  result: oneOf(auditResults).optional(),
  actorId: searchText.optional(),
  resourceType: searchText.optional(),
  resourceId: searchText.optional(),
  requestId: searchText.optional(),
  from: timestampInput.optional().describe('Events at or after this time.'),
  to: timestampInput.optional().describe('Events before this time.'),
};

export const listEventsQuery = z.strictObject({ ...eventFilter, ...pageQuery });
export type ListEventsQuery = z.output<typeof listEventsQuery>;
export type EventFilter = Omit<ListEventsQuery, 'limit' | 'cursor'>;

const freeForm = z.record(z.string(), z.unknown()).nullable();

export const eventView = z.object({
  id: z.uuid(),
  at: z.date(),
  type: z.string(),
  category: z.enum(auditCategories),
  severity: z.enum(auditSeverities),
  result: z.enum(auditResults),
  actor: z.object({ kind: z.enum(auditActorKinds), id: z.string() }),
  resource: z.object({ type: z.string(), id: z.string() }).nullable(),
  request: z
    .object({ id: z.string(), ip: z.string(), userAgent: z.string().nullable() })
    .nullable()
    .describe('Address and user agent are personal data.'),
  changes: freeForm,
  metadata: freeForm,
  leafHash: z.string().describe('Hex SHA-256 of a zero byte and the canonical event (RFC 6962 leaf hash).'),
});
export type EventView = z.output<typeof eventView>;

export const eventPage = z.object({ data: z.array(eventView), nextCursor: z.string().nullable() });
