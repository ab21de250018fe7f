import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '../problem/core-problems.ts';
import { environmentsOf, Reply, reply, type Route } from '../module/define-route.ts';
import { anonymous, type Principal } from '../module/principal.ts';
import type { AccessPolicy } from './access-policy.ts';
import type { Answer, Call, Edge } from './edge.ts';
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

export type Registration = { authorize: AccessPolicy; edge: Edge };

const jsonMediaType = 'application/json; charset=utf-8';

/** Stands for serialisation that has been done; without one, a charset would be added to the content type. */
const asItIs = (body: unknown): string => body as string;

const sendAnswer = (response: FastifyReply, answer: Answer): FastifyReply =>
  response.status(answer.status).headers(answer.headers).serializer(asItIs).send(answer.body);

/** No promise for a principal that is known at once: it would cost more than checking a cached key. */
export const admitTo = (route: Route<unknown>, { authorize, edge }: Registration) => {
  const environments = environmentsOf(route);
  return (request: FastifyRequest, response: FastifyReply, done: (error?: Error) => void): void => {
    const admit = (principal: Principal): void => {
      principals.set(request, principal);
      const limited = edge.limit?.(request, response, principal, route);
      if (limited instanceof Promise) limited.then(() => done(), done);
      else done();
    };
    try {
      const principal = authorize(request, route.access, environments);
      if (principal instanceof Promise) principal.then(admit).catch(done);
      else admit(principal);
    } catch (error) {
      done(error as Error);
    }
  };
};

/** Adds one route of a module to the server: access, validation, handler and serialisation, all from its data. */
export const registerRoute = (
  server: FastifyInstance,
  route: Route<unknown>,
  deps: unknown,
  registration: Registration,
): void => {
  const { edge } = registration;
  const defaultStatus = Math.min(...Object.keys(route.output).map(Number));
  const isOpen = route.access === 'public' || route.access === 'signature';

  const run = async ({ request, principal, input }: Call): Promise<Reply> => {
    const result = await route.handler({
      input: input as never,
      principal: principal as never,
      deps,
      request: requestInfo(request),
    });
    if (result === undefined && defaultStatus !== 204) throw notFound();
    return result instanceof Reply ? result : reply(defaultStatus, result);
  };

  const runToAnswer = async (call: Call): Promise<Answer> => {
    const { status, body, headers } = await run(call);
    const type = route.contentType ?? jsonMediaType;
    if (body === undefined) return { status, headers, body: '' };
    const text = route.contentType === undefined ? call.response.status(status).serialize(body) : (body as string);
    return { status, headers: { ...headers, 'content-type': type }, body: String(text) };
  };

  const handler = async (request: FastifyRequest, response: FastifyReply): Promise<unknown> => {
    const input = validateInput(route.input, { params: request.params, query: request.query, body: request.body });
    if (route.rawBody === true) input.body = request.body ?? Buffer.alloc(0);
    const call: Call = { request, response, route, principal: principalOf(request), input };
    const around = edge.around?.(call);
    if (around !== undefined) return sendAnswer(response, await around(() => runToAnswer(call)));
    const { status, body, headers } = await run(call);
    response.status(status).headers(headers);
    if (route.contentType !== undefined) response.type(route.contentType);
    return body;
  };

  server.route({
    method: route.method,
    url: route.path,
    bodyLimit: route.bodyLimitBytes ?? defaultBodyLimitBytes,
    ...(route.rawBody === true ? {} : { handlerTimeout: handlerTimeoutMs }),
    exposeHeadRoute: route.method === 'GET',
    schema: route.contentType === undefined ? { response: responseSchemas(route) } : {},
    ...(isOpen ? {} : { onRequest: admitTo(route, registration) }),
    handler,
  });
};
