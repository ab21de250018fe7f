import { decodeCursor, reply, toPage } from '@impact-hub/core';
import { z } from 'zod';
import { endpointNotFound } from '../problems.ts';
import { createEndpoint } from './create-endpoint.ts';
import { endpointTopic } from './endpoint-directory.ts';
import { tokenPath, viewEndpoint } from './endpoint-view.ts';
import { grantToken } from './grant-token.ts';
import { manageRoutes } from './manage-routes.ts';
import { findEndpoint, selectEndpoints } from './repository.ts';
import { canManage, canRead, changeOne, defineRoute, loadKey, path } from './route-parts.ts';
import {
  createdEndpointView,
  createEndpointBody,
  endpointListQuery,
  endpointPage,
  endpointParams,
  endpointView,
} from './schema.ts';

const create = defineRoute({
  method: 'POST',
  path,
  operationId: 'createEndpoint',
  summary: 'Create a receiver for a partner',
  description: 'The answer is the only place where the secret ever appears.',
  access: canManage,
  input: { body: createEndpointBody },
  output: { 201: createdEndpointView },
  handler: async (call) => {
    await loadKey(call);
    const { endpoint, credentials } = await changeOne(
      call,
      (tx, maker) => createEndpoint(tx, call.deps, maker, call.input.body),
      (created) => created.endpoint.id,
    );
    return { ...endpoint, ...credentials };
  },
});

const list = defineRoute({
  method: 'GET',
  path,
  operationId: 'listEndpoints',
  summary: 'List the receivers of the company',
  access: canRead,
  input: { query: endpointListQuery },
  output: { 200: endpointPage },
  // When a secret last matched is not announced: it may be so many seconds old.
  cache: { ttlSeconds: 10, sharedBy: 'company', tags: [endpointTopic] },
  handler: async ({ input: { query }, principal, deps }) => {
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const { partner, silent, limit } = query;
    const rows = await deps.db.company(principal.companyId, (tx) =>
      selectEndpoints(tx, { partner, silent, cursor, limit }),
    );
    const page = toPage(rows, limit, ({ endpoint }) => ({ atMs: endpoint.createdAt.getTime(), id: endpoint.id }));
    return { ...page, data: page.data.map((row) => viewEndpoint(row, deps)) };
  },
});

const get = defineRoute({
  method: 'GET',
  path: `${path}/:id`,
  operationId: 'getEndpoint',
  summary: 'Read one receiver',
  access: canRead,
  input: { params: endpointParams },
  output: { 200: endpointView },
  cache: { ttlSeconds: 10, sharedBy: 'company', tags: [`${endpointTopic}/:id`] },
  handler: async ({ input, principal, deps }) => {
    const found = await deps.db.company(principal.companyId, (tx) => findEndpoint(tx, input.params.id));
    if (found === undefined) throw endpointNotFound();
    return viewEndpoint(found, deps);
  },
});

const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' };
const oauthError = z.object({ error: z.string() });

const token = defineRoute({
  method: 'POST',
  path: tokenPath,
  operationId: 'grantToken',
  summary: 'Get an access token for an OAuth endpoint',
  description: 'Client credentials grant of RFC 6749 §4.4, by HTTP Basic or form fields; answers are those of §5.',
  access: 'signature',
  rawBody: true,
  bodyLimitBytes: 16_384,
  output: {
    200: z.object({ access_token: z.string(), token_type: z.literal('Bearer'), expires_in: z.int() }),
    400: oauthError,
    401: oauthError,
    503: oauthError,
  },
  handler: async ({ input, deps, request }) => {
    const answer = await grantToken(deps, request.rawHeaders, input.body as unknown as Buffer);
    if (answer.granted) {
      const { accessToken, tokenType, expiresInSeconds } = answer.token;
      return reply(200, { access_token: accessToken, token_type: tokenType, expires_in: expiresInSeconds }, noStore);
    }
    const { error } = answer;
    request.log['reason'] = error;
    if (error === 'invalid_client')
      return reply(401, { error }, { ...noStore, 'www-authenticate': 'Basic realm="oauth"' });
    if (error === 'temporarily_unavailable') return reply(503, { error }, { ...noStore, 'retry-after': '2' });
    return reply(400, { error }, noStore);
  },
});

export const endpointRoutes = [create, list, get, ...manageRoutes, token];
