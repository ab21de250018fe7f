import { actorOf } from '@impact-hub/audit';
import { decodeCursor, reply, routeDefiner, toPage, type CompanyPrincipal, type RequestInfo } from '@impact-hub/core';
import { z } from 'zod';
import type { ImpactInDeps } from '../deps.ts';
import { endpointNotFound } from '../problems.ts';
import { createEndpoint, type EndpointMaker } from './create-endpoint.ts';
import { endpointTopic } from './endpoint-directory.ts';
import { secretPurpose } from './endpoint.ts';
import { tokenPath, viewEndpoint } from './endpoint-view.ts';
import { grantToken } from './grant-token.ts';
import { findEndpoint, selectEndpoints } from './repository.ts';
import {
  createdEndpointView,
  createEndpointBody,
  endpointListQuery,
  endpointPage,
  endpointParams,
  endpointView,
} from './schema.ts';
import { setEndpointState } from './set-endpoint-state.ts';

const defineRoute = routeDefiner<ImpactInDeps>();
const canRead = { scopes: ['endpoints:read'] } as const;
const canManage = { scopes: ['endpoints:manage'] } as const;
const path = '/api/v1/impact-in/endpoints';

const makerOf = (principal: CompanyPrincipal, request: RequestInfo): EndpointMaker => ({
  actor: actorOf(principal),
  request,
});

/** This process knows the change before its caller does; the change is committed, so failing here must not undo the answer. */
const knowNow = ({ endpoints }: ImpactInDeps, id: string): Promise<void> => endpoints.reload(id).catch(() => undefined);

const create = defineRoute({
  method: 'POST',
  path,
  operationId: 'createEndpoint',
  summary: 'Create a receiver for a partner',
  description: 'The answer is the only place where the secret ever appears.',
  access: canManage,
  input: { body: createEndpointBody },
  output: { 201: createdEndpointView },
  handler: async ({ input, principal, deps, request }) => {
    const { companyId } = principal;
    // Loads the company's key before the transaction holds a connection.
    await deps.crypto.openSealer({ companyId, purpose: secretPurpose });
    const { endpoint, credentials } = await deps.db.company(companyId, (tx) =>
      createEndpoint(tx, deps, makerOf(principal, request), input.body),
    );
    await knowNow(deps, endpoint.id);
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
    const { partner, limit } = query;
    const rows = await deps.db.company(principal.companyId, (tx) => selectEndpoints(tx, { partner, cursor, limit }));
    const page = toPage(rows, limit, ({ endpoint }) => ({ atMs: endpoint.createdAt.getTime(), id: endpoint.id }));
    return { ...page, data: page.data.map((row) => viewEndpoint(row, deps.publicUrl)) };
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
    return viewEndpoint(found, deps.publicUrl);
  },
});

const setState = (verb: 'pause' | 'resume', state: 'active' | 'paused', summary: string) =>
  defineRoute({
    method: 'POST',
    path: `${path}/:id/${verb}`,
    operationId: `${verb}Endpoint`,
    summary,
    access: canManage,
    input: { params: endpointParams },
    output: { 200: endpointView },
    handler: async ({ input, principal, deps, request }) => {
      const { id } = input.params;
      const endpoint = await deps.db.company(principal.companyId, (tx) =>
        setEndpointState(tx, deps, makerOf(principal, request), { id, state }),
      );
      await knowNow(deps, id);
      return endpoint;
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

export const endpointRoutes = [
  create,
  list,
  get,
  setState('pause', 'paused', 'Pause a receiver: authentic requests get 503 until it is resumed'),
  setState('resume', 'active', 'Resume a paused receiver'),
  token,
];
