import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '../problem/core-problems.ts';
import { callersOf, Reply, reply, type Route } from '../module/define-route.ts';
import type { Principal } from '../module/principal.ts';
import { withTraceOf } from '../telemetry/tracing.ts';
import type { AccessPolicy } from './access-policy.ts';
import type { Answer, Call, Edge } from './edge.ts';
import { toJsonSchema } from './json-schema.ts';
import { suspendWhileReading, type HandlerTimeLimit } from './limit-handler-time.ts';
import { refuseOtherCharsets, refuseUnexpected } from './refuse-unexpected.ts';
import { requestInfo } from './request-info.ts';
import { principalOf, stateOf } from './request-state.ts';
import type { Serving, Shedding } from './serving.ts';
import { validateInput } from './validate-input.ts';

const defaultBodyLimitBytes = 1_048_576;

const responseSchemas = (route: Route<unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(route.output).map(([status, schema]) => [status, toJsonSchema(schema, 'output', 'draft-7')]),
  );

export type Registration = {
  authorize: AccessPolicy;
  edge: Edge;
  serving: Serving;
  timeLimit: HandlerTimeLimit;
};

const jsonMediaType = 'application/json; charset=utf-8';

/** Stands for serialisation that has been done; without one, a charset would be added to the content type. */
const asItIs = (body: unknown): string => body as string;

/** No body is not an empty one: a 304 that said so would deny the length of what it stands for (RFC 9110 §8.6). */
const sendAnswer = (response: FastifyReply, { status, headers, body }: Answer): FastifyReply =>
  response
    .status(status)
    .headers(headers)
    .serializer(asItIs)
    .send(body === '' ? undefined : body);

/** A request whose body, or turn, took longer has to prove again that its caller may still act (SCOPE: within 50 ms). */
const admissionHoldsMs = 50;

/** Whoever calls these may be a probe, a browser or a partner's system, with parameters of its own. */
const isOpen = ({ access }: Route<unknown>): boolean => access === 'public' || access === 'signature';

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';

const isTimed = ({ rawBody, stream }: Route<unknown>): boolean => rawBody !== true && stream === undefined;

/** Paths that say how the process is, and must do so above all when it has too much to do. */
const vitalPaths: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

const sheddingOf = (route: Route<unknown>): Shedding => {
  if (vitalPaths.has(route.path)) return 'never';
  return route.access === 'signature' ? 'late' : 'first';
};

const goOnAfter = async <T>(
  work: Promise<T>,
  goOn: (result: T extends void ? undefined : T) => void,
  fail: (error: Error) => void,
): Promise<void> => {
  try {
    goOn((await work) as never);
  } catch (error) {
    fail(error as Error);
  }
};

/**
 * Turns the request away when there is too much to do, else decides whether it is let in. No promise for a principal
 * that is known at once: it would cost more than checking a cached key.
 */
export const admitTo = (route: Route<unknown>, { authorize, edge, serving, timeLimit }: Registration) => {
  const callers = callersOf(route);
  const shedding = sheddingOf(route);
  const isPublic = isOpen(route);
  const timed = isTimed(route);
  const mayWait = route.method !== 'GET';
  return (request: FastifyRequest, response: FastifyReply, done: (error?: Error) => void): void => {
    const state = stateOf(request);
    state.route = route;
    const overload = serving.overload(shedding);
    if (overload !== undefined) return done(serving.shed(overload));
    if (timed) timeLimit.begin(request, response, state.startedAtMs);
    if (isPublic) return done();
    const admit = (principal: Principal): void => {
      state.principal = principal;
      const limited = edge.limit?.(request, response, principal, route);
      state.hasWaited = mayWait || limited instanceof Promise;
      if (limited instanceof Promise) void goOnAfter(limited, done, done);
      else done();
    };
    state.admittedAtMs = state.startedAtMs;
    try {
      const principal = authorize(request, route.access, callers);
      if (!(principal instanceof Promise)) return admit(principal);
      const admitLate = (found: Principal): void => {
        state.admittedAtMs = performance.now();
        admit(found);
      };
      void goOnAfter(principal, admitLate, done);
    } catch (error) {
      done(error as Error);
    }
  };
};

const bodyHooks = (route: Route<unknown>, { timeLimit }: Registration) => {
  const { preParsing, preValidation } = suspendWhileReading(timeLimit);
  const judge = route.input.body === undefined ? [] : [refuseOtherCharsets];
  return isTimed(route) ? { preParsing: [...judge, preParsing], preValidation } : { preParsing: judge };
};

/** Adds one route of a module to the server: access, validation, handler and serialisation, all from its data. */
export const registerRoute = (
  server: FastifyInstance,
  route: Route<unknown>,
  deps: unknown,
  registration: Registration,
): void => {
  const { authorize, edge } = registration;
  const isGuarded = !isOpen(route);
  const callers = callersOf(route);
  const defaultStatus = Math.min(...Object.keys(route.output).map(Number));

  const toReply = (result: unknown): Reply => {
    if (result === undefined && defaultStatus !== 204) throw notFound();
    return result instanceof Reply ? result : reply(defaultStatus, result);
  };

  /** No promise unless the handler makes one. */
  const run = ({ request, principal, input }: Call): Reply | Promise<Reply> => {
    const result = route.handler({
      input: input as never,
      principal: principal as never,
      deps,
      request: requestInfo(request),
    });
    return isThenable(result) ? Promise.resolve(result).then(toReply) : toReply(result);
  };

  const runToAnswer = async (call: Call): Promise<Answer> => {
    const { status, body, headers } = await run(call);
    const type = route.contentType ?? jsonMediaType;
    if (body === undefined) return { status, headers, body: '' };
    const text = route.contentType === undefined ? call.response.status(status).serialize(body) : (body as string);
    return { status, headers: { ...headers, 'content-type': type }, body: String(text) };
  };

  const prepare = (response: FastifyReply, { status, body, headers }: Reply): unknown => {
    response.status(status).headers(headers);
    if (route.contentType !== undefined) response.type(route.contentType);
    return body;
  };

  const handle = (request: FastifyRequest, response: FastifyReply): unknown => {
    refuseUnexpected(route, request);
    const sent = { params: request.params, query: request.query, body: request.body };
    const input = validateInput(route.input, sent, isGuarded);
    if (route.rawBody === true) input.body = request.body ?? Buffer.alloc(0);
    const call: Call = { request, response, route, principal: principalOf(request), input };
    const around = edge.around?.(call);
    if (around !== undefined) return around(() => runToAnswer(call)).then((answer) => sendAnswer(response, answer));
    const result = run(call);
    if (result instanceof Promise) return result.then((answer) => prepare(response, answer));
    // Sent at once: Fastify would wait for a promise of an answer without a body.
    return void response.send(prepare(response, result));
  };

  const handleAdmitted = (request: FastifyRequest, response: FastifyReply): unknown => {
    const state = stateOf(request);
    if (!isGuarded || !state.hasWaited || performance.now() - state.admittedAtMs <= admissionHoldsMs)
      return handle(request, response);
    const admitAgain = async (): Promise<unknown> => {
      state.principal = await authorize(request, route.access, callers);
      return handle(request, response);
    };
    return admitAgain();
  };

  server.route({
    // Fastify's own HEAD routes say of an answer without a body that its length is 0.
    method: route.method === 'GET' ? ['GET', 'HEAD'] : route.method,
    url: route.path,
    bodyLimit: route.bodyLimitBytes ?? defaultBodyLimitBytes,
    exposeHeadRoute: false,
    schema: route.contentType === undefined ? { response: responseSchemas(route) } : {},
    onRequest: admitTo(route, registration),
    ...(route.method === 'GET' ? {} : bodyHooks(route, registration)),
    // What arrives after a body has been awaited runs in the connection's context: the trace has to begin here.
    handler: (request, response) => withTraceOf(request, handleAdmitted, request, response),
  });
};
