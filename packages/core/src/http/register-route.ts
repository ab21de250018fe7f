import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '../problem/core-problems.ts';
import { environmentsOf, Reply, type Route } from '../module/define-route.ts';
import { anonymous, type Principal } from '../module/principal.ts';
import type { AccessPolicy } from './access-policy.ts';
import { toJsonSchema } from './json-schema.ts';
import { requestInfo } from './request-info.ts';
import { validateInput } from './validate-input.ts';

const defaultBodyLimitBytes = 1_048_576;
/** A caller gets an answer even when a store hangs; receivers have a shorter limit of their own. */
const handlerTimeoutMs = 8_000;

const responseSchemas = (route: Route<unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(route.output).map(([status, schema]) => [status, toJsonSchema(schema, 'output', 'draft-7')]),
  );

const principals = new WeakMap<FastifyRequest, Principal>();

/** The principal the access policy found for this request. */
export const principalOf = (request: FastifyRequest): Principal => principals.get(request) ?? anonymous;

/** Adds one route of a module to the server: access, validation, handler and serialisation, all from its data. */
export const registerRoute = (
  server: FastifyInstance,
  route: Route<unknown>,
  deps: unknown,
  authorize: AccessPolicy,
): void => {
  const defaultStatus = Math.min(...Object.keys(route.output).map(Number));
  const isOpen = route.access === 'public' || route.access === 'signature';
  const { input } = route;
  const environments = environmentsOf(route);

  const handler = async (request: FastifyRequest, response: FastifyReply): Promise<unknown> => {
    const parsed = validateInput(input, { params: request.params, query: request.query, body: request.body });
    if (route.rawBody === true) parsed.body = request.body ?? Buffer.alloc(0);
    const result = await route.handler({
      input: parsed as never,
      principal: principalOf(request) as never,
      deps,
      request: requestInfo(request),
    });
    if (result === undefined && defaultStatus !== 204) throw notFound();
    const isReply = result instanceof Reply;
    response.status(isReply ? result.status : defaultStatus);
    if (isReply) response.headers(result.headers);
    if (route.contentType !== undefined) response.type(route.contentType);
    return isReply ? result.body : result;
  };

  server.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyLimitBytes ?? defaultBodyLimitBytes,
    ...(route.rawBody === true ? {} : { handlerTimeout: handlerTimeoutMs }),
    exposeHeadRoute: route.method === 'GET',
    schema: route.contentType === undefined ? { response: responseSchemas(route) } : {},
    ...(isOpen
      ? {}
      : {
          // No promise for a principal that is known at once: it would cost more than checking a cached key.
          onRequest: (request: FastifyRequest, _response: FastifyReply, done: (error?: Error) => void): void => {
            const admit = (principal: Principal): void => {
              principals.set(request, principal);
              done();
            };
            let principal: Principal | Promise<Principal>;
            try {
              principal = authorize(request, route.access, environments);
            } catch (error) {
              done(error as Error);
              return;
            }
            if (principal instanceof Promise) principal.then(admit, done);
            else admit(principal);
          },
        }),
    handler,
  });
};
