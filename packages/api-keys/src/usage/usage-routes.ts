import { routeDefiner } from '@impact-hub/core';
import { changeOneKey, environments } from '../change-one-key.ts';
import type { ApiKeysDeps } from '../deps.ts';
import { apiKeyView, keyParams } from '../schema.ts';
import { dismissAnomaly } from './dismiss-anomaly.ts';
import { readHygiene } from './read-hygiene.ts';
import { readStats } from './read-stats.ts';
import { hygieneView, statsQuery, statsView } from './usage-schema.ts';

const defineRoute = routeDefiner<ApiKeysDeps>();
const access = { scopes: ['admin'] } as const;

const stats = defineRoute({
  method: 'GET',
  path: '/admin/api-keys/stats',
  operationId: 'getApiKeyStats',
  summary: 'Count the API keys of the company and their usage over time',
  access,
  input: { query: statsQuery },
  output: { 200: statsView },
  handler: ({ input, principal, deps }) =>
    deps.db.company(principal.companyId, (tx) => readStats(tx, input.query, deps.clock.now())),
});

const hygiene = defineRoute({
  method: 'GET',
  path: '/admin/api-keys/hygiene',
  operationId: 'getApiKeyHygiene',
  summary: 'List the API keys that want attention, why, and what to do',
  access,
  output: { 200: hygieneView },
  handler: ({ principal, deps }) => deps.db.company(principal.companyId, (tx) => readHygiene(tx, deps.clock.now())),
});

const dismiss = defineRoute({
  method: 'POST',
  path: '/admin/api-keys/:keyId/dismiss-anomaly',
  operationId: 'dismissApiKeyAnomaly',
  summary: 'Take the anomaly flag off an API key',
  description: 'The same network is not flagged again for this key; another one is. Without a flag nothing changes.',
  access,
  environments,
  input: { params: keyParams },
  output: { 200: apiKeyView },
  handler: changeOneKey((tx, { deps }, by, target) => dismissAnomaly(tx, deps, by, target)),
});

export const usageRoutes = [stats, hygiene, dismiss];
