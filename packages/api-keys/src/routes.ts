import { decodeCursor, routeDefiner, toPage } from '@impact-hub/core';
import { viewOf } from './api-key-view.ts';
import { createApiKey, refuseLiveFromTest } from './create-api-key.ts';
import type { ApiKeysDeps } from './deps.ts';
import { effectiveAccess } from './effective-access.ts';
import { apiKeyDetailView } from './lifecycle-schema.ts';
import { leakRoutes } from './leaks/routes.ts';
import { lifecycleRoutes } from './lifecycle-routes.ts';
import { apiKeyNotFound } from './problems.ts';
import { apiKeyTopic, findApiKey, selectApiKeys } from './repository.ts';
import { makerOf } from './request-maker.ts';
import { apiKeyPage, createBody, createdApiKeyView, effectiveAccessView, keyParams, listQuery } from './schema.ts';
import { selectSecrets } from './secret-repository.ts';
import { secretViewsOf } from './secret-view.ts';

const defineRoute = routeDefiner<ApiKeysDeps>();
const access = { scopes: ['admin'] } as const;

const create = defineRoute({
  method: 'POST',
  path: '/admin/api-keys',
  operationId: 'createApiKey',
  summary: 'Make an API key',
  description:
    'The answer is the only place where the key itself ever appears. Nobody can grant a scope they lack.' +
    ' A key made by a key ends no later than that one; `allowedIps` and `rateLimitPerMinute` have to lie within those' +
    ' of its maker.',
  access,
  // A test key can make test keys only: `refuseLiveFromTest`.
  environments: ['live', 'test'],
  input: { body: createBody },
  output: { 201: createdApiKeyView },
  handler: async (call) => {
    const { input, principal, deps } = call;
    refuseLiveFromTest(principal, input.body.environment);
    return deps.db.company(principal.companyId, async (tx) =>
      createApiKey(tx, deps, await makerOf(tx, call), input.body),
    );
  },
});

const list = defineRoute({
  method: 'GET',
  path: '/admin/api-keys',
  operationId: 'listApiKeys',
  summary: 'List the API keys of the company with their usage',
  access,
  input: { query: listQuery },
  output: { 200: apiKeyPage },
  handler: async ({ input: { query }, principal, deps }) => {
    const now = deps.clock.now();
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = await deps.db.company(principal.companyId, (tx) =>
      selectApiKeys(tx, { limit: query.limit, cursor, environment: query.environment, status: query.status, now }),
    );
    const page = toPage(rows, query.limit, ({ key }) => ({ atMs: key.createdAt.getTime(), id: key.id }));
    return { ...page, data: page.data.map((row) => viewOf(row, now)) };
  },
});

const get = defineRoute({
  method: 'GET',
  path: '/admin/api-keys/:keyId',
  operationId: 'getApiKey',
  summary: 'Read one API key with its usage and its secrets',
  description: 'The secrets are told by their times and calls: a rotation is over when nothing uses the old one.',
  access,
  input: { params: keyParams },
  output: { 200: apiKeyDetailView },
  handler: async ({ input, principal, deps }) =>
    deps.db.company(principal.companyId, async (tx) => {
      const found = await findApiKey(tx, input.params.keyId);
      if (found === undefined) throw apiKeyNotFound();
      const now = deps.clock.now();
      const secrets = secretViewsOf(found.key, await selectSecrets(tx, found.key.id), now);
      return { ...viewOf(found, now), secrets };
    }),
});

const showEffectiveAccess = defineRoute({
  method: 'GET',
  path: '/admin/api-keys/:keyId/effective-access',
  operationId: 'getApiKeyEffectiveAccess',
  summary: 'List the endpoints an API key may call',
  access,
  input: { params: keyParams },
  output: { 200: effectiveAccessView },
  // Expiry is no change that is announced: it shows after these seconds at the latest.
  cache: { ttlSeconds: 10, tags: [`${apiKeyTopic}/:keyId`] },
  handler: async ({ input, principal, deps }) => {
    const found = await deps.db.company(principal.companyId, (tx) => findApiKey(tx, input.params.keyId));
    if (found === undefined) throw apiKeyNotFound();
    return effectiveAccess(found.key, { ...deps, now: deps.clock.now() });
  },
});

export const routes = [create, list, get, showEffectiveAccess, ...lifecycleRoutes, ...leakRoutes];
