import { z } from 'zod';
import { timingSafeEqual } from 'node:crypto';
import {
  buildOpenApi,
  coreProblems,
  defineModule,
  listProblems,
  pageHeaders,
  reply,
  routeDefiner,
  type BoundModule,
  type MetricsRegistry,
  type Serving,
} from '@impact-hub/core';
import { problemsPagePolicy, renderProblemsPage } from './problems-page.ts';
import { runReadinessChecks } from './readiness.ts';

export type SystemDeps = {
  version: string;
  publicUrl: string;
  /** Filled after composition; the system routes describe all modules, themselves included. */
  modules(): readonly BoundModule[];
  metrics: MetricsRegistry;
  metricsToken: string | undefined;
  serving: Pick<Serving, 'draining' | 'overload'>;
};

const defineRoute = routeDefiner<SystemDeps>();

const health = defineRoute({
  method: 'GET',
  path: '/health',
  operationId: 'getHealth',
  summary: 'Whether the process is alive',
  access: 'public',
  output: { 200: z.object({ status: z.literal('ok'), version: z.string() }) },
  handler: ({ deps }) => ({ status: 'ok', version: deps.version }),
});

const checkOutput = z.object({
  status: z.enum(['ready', 'degraded', 'overloaded', 'draining', 'unavailable']),
  checks: z.array(
    z.object({ name: z.string(), ok: z.boolean(), critical: z.boolean(), message: z.string().optional() }),
  ),
});

const ready = defineRoute({
  method: 'GET',
  path: '/ready',
  operationId: 'getReadiness',
  summary: 'Whether the process can serve',
  description:
    'Answers 503 when a critical part is down and, at once, when the process was asked to end (`draining`). With 200, `degraded` says that the hub works without a part and `overloaded` that it turns requests away.',
  access: 'public',
  output: { 200: checkOutput, 503: checkOutput },
  handler: async ({ deps }) => {
    // Without a look at the stores: a load balancer has to learn this in time.
    if (deps.serving.draining) return reply(503, { status: 'draining', checks: [] });
    const report = await runReadinessChecks(deps.modules());
    const isOverloaded = report.status !== 'unavailable' && deps.serving.overload('first') !== undefined;
    if (isOverloaded) return { ...report, status: 'overloaded' };
    return reply(report.status === 'unavailable' ? 503 : 200, report);
  },
});

const isToken = (header: string | undefined, token: string): boolean => {
  const given = Buffer.from(header ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
};

const metrics = defineRoute({
  method: 'GET',
  path: '/metrics',
  operationId: 'getMetrics',
  summary: 'Figures in the Prometheus text format',
  access: 'public',
  output: { 200: z.string() },
  contentType: 'text/plain; version=0.0.4; charset=utf-8',
  handler: async ({ deps, request }) => {
    if (
      deps.metricsToken !== undefined &&
      !isToken(request.headers['authorization'] as string | undefined, deps.metricsToken)
    )
      throw coreProblems.unauthenticated({ headers: { 'www-authenticate': 'Bearer realm="metrics"' } });
    return deps.metrics.metrics();
  },
});

/** What only another release changes. */
const sameForAll = { ttlSeconds: 300, sharedBy: 'everybody', tags: [] } as const;

const openApi = defineRoute({
  method: 'GET',
  path: '/openapi.json',
  operationId: 'getOpenApi',
  summary: 'This API as OpenAPI 3.1',
  access: 'public',
  output: { 200: z.string() },
  contentType: 'application/json',
  cache: sameForAll,
  handler: ({ deps }) =>
    JSON.stringify(buildOpenApi(deps.modules(), { version: deps.version, serverUrl: deps.publicUrl })),
});

const problems = defineRoute({
  method: 'GET',
  path: '/api/v1/problems',
  operationId: 'listProblems',
  summary: 'Every error code with its status and remedy',
  access: 'public',
  cache: sameForAll,
  output: {
    200: z.object({
      data: z.array(z.object({ code: z.string(), status: z.number(), title: z.string(), remedy: z.string() })),
    }),
  },
  handler: () => ({ data: listProblems() }),
});

const problemsPage = defineRoute({
  method: 'GET',
  path: '/docs/problems',
  operationId: 'getProblemsPage',
  summary: 'Every error code as a page; where the `type` of a problem leads',
  access: 'public',
  output: { 200: z.string() },
  contentType: 'text/html; charset=utf-8',
  handler: () =>
    reply(200, renderProblemsPage(), {
      ...pageHeaders,
      'content-security-policy': problemsPagePolicy,
    }),
});

/** Liveness, readiness, metrics and the description of the API. */
export const systemModule = defineModule<SystemDeps>({
  name: 'system',
  description: 'Whether the hub is well, its figures, and the description of this API and its errors.',
  routes: [health, ready, metrics, openApi, problems, problemsPage],
});
