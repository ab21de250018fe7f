import { actorOf } from '@impact-hub/audit';
import { routeDefiner } from '@impact-hub/core';
import { z } from 'zod';
import type { ImpactInDeps } from '../../deps.ts';
import { pointerPattern } from './read-terms.ts';
import { getSearchFields, setSearchFields } from './search-settings.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const path = '/api/v1/impact-in/endpoints/:id/search-fields';
const params = z.strictObject({ id: z.uuid('must be the id of an endpoint') });
const pointer = z
  .string()
  .max(200, 'must be at most 200 characters')
  .regex(pointerPattern, 'must be a JSON pointer such as /project/id');
const fields = z.array(pointer).max(8, 'must be at most 8');
const view = z.object({
  endpointId: z.uuid(),
  fields: z.array(z.string()),
  searchableSince: z
    .record(z.string(), z.iso.datetime({ offset: true }))
    .describe('By field: events processed before are not found by it.'),
});

const get = defineRoute({
  method: 'GET',
  path,
  operationId: 'getSearchFields',
  summary: 'Read by which fields the events of an endpoint can be found',
  access: { scopes: ['endpoints:read'] },
  input: { params },
  output: { 200: view },
  handler: ({ input, principal, deps }) =>
    deps.db.company(principal.companyId, (tx) => getSearchFields(tx, input.params.id)),
});

const put = defineRoute({
  method: 'PUT',
  path,
  operationId: 'setSearchFields',
  summary: 'Say by which fields the events of an endpoint can be found',
  description:
    'For events processed from now on, in all processes within ten seconds. Payloads stay encrypted: of these fields keyed hashes are kept, so that a value is found only as a whole.',
  access: { scopes: ['endpoints:manage'] },
  input: {
    params,
    body: z.strictObject({
      fields: fields.optional().describe('Default: the usual ones of the partner; none ends it.'),
    }),
  },
  output: { 200: view },
  handler: ({ input, principal, deps, request }) =>
    deps.db.company(principal.companyId, (tx) =>
      setSearchFields(
        tx,
        { clock: deps.clock, search: deps.records.search },
        { actor: actorOf(principal), request },
        { endpointId: input.params.id, fields: input.body.fields },
      ),
    ),
});

export const searchRoutes = [get, put];
