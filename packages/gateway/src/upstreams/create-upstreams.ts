import { defineModule, reply, routeDefiner, type Module, type Route } from '@impact-hub/core';
import { z } from 'zod';
import { forwardRequest } from './forward-request.ts';
import { registerUpstreamMetrics } from './register-upstream-metrics.ts';
import { openUpstream, type Upstream, type UpstreamDeps } from './upstream.ts';
import type { UpstreamsFile } from './upstream-settings.ts';
import { watchSockets } from './watch-sockets.ts';

const defineRoute = routeDefiner<UpstreamDeps>();

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const camelCase = (name: string): string => name.replaceAll(/-+(\w?)/g, (_, letter: string) => letter.toUpperCase());

/** One route for each method; they differ in their scopes and in their names. */
const routesOf = (upstream: Upstream): Route<UpstreamDeps>[] =>
  methods.map((method) => ({
    method,
    path: `${upstream.settings.prefix}/*`,
    operationId: `${method.toLowerCase()}Upstream_${camelCase(upstream.settings.name)}`,
    summary: `Pass on to the service ${upstream.settings.name}`,
    access: { scopes: upstream.settings.scopes[method === 'GET' ? 'read' : 'write'] },
    input: { params: z.object({ path: z.string().describe('Anything, slashes included.') }) },
    output: {},
    idempotency: 'none',
    upgrades: method === 'GET' && upstream.settings.websocket,
    stream: (call) => forwardRequest(upstream, call),
    handler: () => undefined,
  }));

const jwkSchema = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string(),
  alg: z.literal('EdDSA'),
  use: z.literal('sig'),
});

const listSigningKeys = defineRoute({
  method: 'GET',
  path: '/.well-known/jwks.json',
  operationId: 'listSigningKeys',
  summary: 'List the keys that the identity passed on to upstreams is signed with',
  access: 'public',
  output: { 200: z.object({ keys: z.array(jwkSchema) }) },
  handler: ({ deps }) => reply(200, { keys: [deps.signer.publicKey] }, { 'cache-control': 'public, max-age=300' }),
});

export type Upstreams = { module: Module<UpstreamDeps>; stop(): Promise<void> };

/** Opens the services of the operator's file; the module holds their routes and the scopes the file declares. */
export const createUpstreams = (file: UpstreamsFile, deps: UpstreamDeps): Upstreams => {
  const sockets = watchSockets(deps);
  const opened = file.upstreams.map((settings) => openUpstream(settings, deps, sockets.watch));
  registerUpstreamMetrics(deps.metrics, opened);
  return {
    module: defineModule({
      name: 'upstreams',
      description: 'Other services behind the hub, reached with the same keys and limits.',
      routes: [listSigningKeys, ...opened.flatMap(routesOf)],
      scopes: file.scopes,
    }),
    stop: async () => {
      sockets.stop();
      await Promise.all(opened.map(({ pool }) => pool.close()));
    },
  };
};
