import { lineInput, pageQuery } from '@impact-hub/core';
import { z } from 'zod';
import { partnerName } from '../../endpoints/schema.ts';
import { partnerApiNames } from '../partner-apis.ts';
import { anyCredentials } from './credentials.ts';

const apiName = z.enum(partnerApiNames, { error: `must be one of ${partnerApiNames.join(', ')}` });
const baseUrl = z
  .string()
  .max(500, 'Must have at most 500 characters.')
  .describe('Where the API is, such as https://api.example.org; the paths are the API’s own.');
const tenant = lineInput(100)
  .regex(/^[\w.-]+$/, 'Must consist of letters, digits, dots, dashes and underscores.')
  .refine((text) => !/^\.+$/.test(text), 'Must not be dots only.')
  .describe('Workday’s name of the customer; needed by its APIs and used by no other.');
const requestsPerMinute = z
  .int()
  .min(1)
  .max(60_000)
  .describe('The calls a minute the partner allows; default is the API’s.');

export const createConnectionBody = z.strictObject({
  api: apiName.describe('Which of the partner’s APIs.'),
  name: lineInput(100).describe('For people.'),
  baseUrl,
  tenant: tenant.optional(),
  credentials: anyCredentials,
  requestsPerMinute: requestsPerMinute.optional(),
});
export type CreateConnectionInput = z.input<typeof createConnectionBody>;

export const changeConnectionBody = z
  .strictObject({
    name: lineInput(100).optional(),
    baseUrl: baseUrl.optional().describe('Another host needs the credentials again.'),
    tenant: tenant.optional(),
    credentials: anyCredentials.optional(),
    requestsPerMinute: requestsPerMinute.optional(),
    state: z.enum(['active', 'paused']).optional().describe('What is sent to a paused connection waits.'),
  })
  .refine((change) => Object.keys(change).length > 0, 'Name at least one field to change.');
export type ConnectionChange = z.output<typeof changeConnectionBody>;

export const connectionView = z.object({
  id: z.uuid(),
  partner: partnerName,
  api: apiName,
  name: z.string(),
  baseUrl: z.string(),
  tenant: z.string().nullable(),
  requestsPerMinute: z.int(),
  state: z.enum(['active', 'paused']),
  circuit: z
    .object({
      name: z.string(),
      state: z.enum(['closed', 'open', 'half_open']),
      retryAt: z.date().nullable().describe('When an open one lets a call through again.'),
    })
    .describe('Its circuit breaker, which no other connection shares. What is to be sent waits while it is open.'),
  createdAt: z.date(),
  updatedAt: z.date(),
});
export type ConnectionView = z.output<typeof connectionView>;
export const connectionPage = z.object({ data: z.array(connectionView), nextCursor: z.string().nullable() });
export const connectionListQuery = z.strictObject({ ...pageQuery, partner: partnerName.optional() });
export const connectionParams = z.strictObject({ id: z.uuid('must be the id of a connection') });
export const connectionTestView = z.object({
  reachable: z.boolean().describe('Whether the partner’s server answered.'),
  authorized: z
    .boolean()
    .nullable()
    .describe('False when it refused the credentials, true when it did not; null when its answer does not tell.'),
  httpStatus: z.int().nullable(),
  detail: z.string(),
  durationMs: z.number(),
});
