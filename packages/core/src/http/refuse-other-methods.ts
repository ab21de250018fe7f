import type { FastifyInstance, HTTPMethods } from 'fastify';
import type { Route } from '../module/define-route.ts';
import { methodNotAllowed } from '../problem/core-problems.ts';

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'] as const satisfies readonly HTTPMethods[];

/**
 * Answers every other method of a known path with 405 and the `Allow` header (RFC 9110 §15.5.6), and OPTIONS with 204
 * and the same header. No CORS headers: other sites' pages are not to call the hub.
 */
export const refuseOtherMethods = (
  server: FastifyInstance,
  routes: readonly Pick<Route<unknown>, 'method' | 'path'>[],
): void => {
  const byPath = Map.groupBy(routes, ({ path }) => path);
  for (const [path, known] of byPath) {
    const offered = new Set(known.map(({ method }) => method));
    const allow = [...offered, ...(offered.has('GET') ? ['HEAD'] : []), 'OPTIONS'].toSorted().join(', ');
    server.route({
      method: methods.filter((method) => method === 'TRACE' || !offered.has(method)),
      url: path,
      exposeHeadRoute: false,
      // Before the body is read or its type judged.
      onRequest: (_request, _response, done) =>
        done(methodNotAllowed({ detail: `This address takes ${allow}.`, headers: { allow } })),
      handler: () => undefined,
    });
    server.route({
      method: 'OPTIONS',
      url: path,
      handler: (_request, response) => response.status(204).header('allow', allow).send(),
    });
  }
};
