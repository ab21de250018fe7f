import type { FastifyInstance } from 'fastify';
import type { Route } from '../module/define-route.ts';
import { withTraceOf } from '../telemetry/tracing.ts';
import { isUpgraded } from './accept-upgrades.ts';
import { admitTo, type Registration } from './register-route.ts';
import { principalOf } from './request-state.ts';

type StreamRoute = Route<unknown> & Required<Pick<Route, 'stream'>>;

export const isStreamRoute = (route: Route<unknown>): route is StreamRoute => route.stream !== undefined;

/** Adds routes that take the exchange over after access and limits; the request's body is left in its socket. */
export const registerStreamRoutes = (
  server: FastifyInstance,
  routes: readonly StreamRoute[],
  registration: Registration,
): void => {
  void server.register(async (streams) => {
    // Fastify refuses a malformed content type; here it is not ours to judge. The original stays in `rawHeaders`.
    streams.addHook('onRequest', (request, _response, done) => {
      const { headers } = request.raw;
      if (headers['content-type'] !== undefined) headers['content-type'] = 'application/octet-stream';
      done();
    });
    streams.removeAllContentTypeParsers();
    streams.addContentTypeParser('*', (_request, _payload, done) => done(null));
    for (const route of routes)
      for (const url of [route.path, route.path.replace(/\/\*$/, '')])
        streams.route({
          method: route.method === 'GET' ? ['GET', 'HEAD', 'OPTIONS'] : route.method,
          url,
          onRequest: admitTo(route, registration),
          handler: (request, response) => {
            const isUpgrade = isUpgraded(request.raw);
            withTraceOf(request, () => route.stream({ request, response, principal: principalOf(request), isUpgrade }));
          },
        });
  });
};
