import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { BoundModule } from '../module/define-module.ts';
import { newId } from '../ids.ts';
import { notFound } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { HttpMetrics } from '../telemetry/metrics.ts';
import { currentTraceparent } from '../telemetry/tracing.ts';
import type { AccessPolicy } from './access-policy.ts';
import { answerUnparsable } from './answer-unparsable.ts';
import type { Edge } from './edge.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';
import { principalOf, registerRoute } from './register-route.ts';
import { isStreamRoute, registerStreamRoutes } from './register-stream-route.ts';
import { problemBody, problemMediaType, toProblem } from './render-problem.ts';
import { logFieldsOf } from './request-info.ts';

export type HttpServerOptions = {
  modules: readonly BoundModule[];
  authorize: AccessPolicy;
  /** Limits, idempotency and caching around the routes; none by default. */
  edge?: Edge;
  log: Logger;
  metrics: HttpMetrics;
  /** Addresses or ranges of proxies whose `X-Forwarded-For` is believed; none by default. */
  trustProxy?: readonly string[];
};

/** A client's own request id is kept when it is harmless, so that both sides can find the same line. */
const acceptableRequestId = /^[\w.-]{8,64}$/;

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '/';

const problems = new WeakMap<FastifyRequest, ProblemError>();

const logRequest = (options: HttpServerOptions, request: FastifyRequest, status: number, durationMs: number): void => {
  const route = request.routeOptions.url ?? 'unmatched';
  options.metrics.observe(request.method, route, status, durationMs);
  const level = status >= 500 ? 'error' : 'info';
  if (!options.log.isLevelEnabled(level)) return;
  const principal = principalOf(request);
  const problem = problems.get(request);
  options.log[level]({
    event: 'http.request',
    requestId: request.id,
    method: request.method,
    route,
    status,
    durationMs: Math.round(durationMs * 1_000) / 1_000,
    ip: request.ip,
    companyId: principal.companyId,
    ...(principal.kind === 'api_key' ? { keyId: principal.keyId } : {}),
    ...(principal.kind === 'person' ? { personId: principal.personId } : {}),
    ...(currentTraceparent() === null ? {} : { traceparent: currentTraceparent() }),
    ...(problem === undefined ? {} : { code: problem.definition.code, ...problem.options.context }),
    ...(problem !== undefined && status >= 500 ? { err: problem.options.cause } : {}),
    ...logFieldsOf(request),
  });
};

const addErrorRendering = (server: FastifyInstance): void => {
  server.setErrorHandler((error, request, response) => {
    const problem = toProblem(error);
    problems.set(request, problem);
    return response
      .status(problem.definition.status)
      .headers(problem.options.headers ?? {})
      .type(problemMediaType)
      .serializer(JSON.stringify)
      .send(problemBody(problem, { id: request.id, path: pathOf(request) }));
  });
  server.setNotFoundHandler(() => {
    throw notFound();
  });
};

const apiHeaders = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** Builds the server over the modules' route tables. Not listening yet: tests use `inject`, the hub `listen`. */
export const buildHttpServer = (options: HttpServerOptions): FastifyInstance => {
  const { authorize, edge = {} } = options;
  const registration = { authorize, edge };
  const server = fastify({
    logger: false,
    genReqId: (raw) => {
      const given = raw.headers['x-request-id'];
      return typeof given === 'string' && acceptableRequestId.test(given) ? given : newId();
    },
    trustProxy: options.trustProxy === undefined || options.trustProxy.length === 0 ? false : [...options.trustProxy],
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: true },
    requestTimeout: 30_000,
    connectionTimeout: 0,
    keepAliveTimeout: 65_000,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    clientErrorHandler: answerUnparsable,
    frameworkErrors: (error, request, response) => {
      const problem = toProblem(error);
      const untyped = response as unknown as FastifyReply;
      void untyped
        .status(problem.definition.status)
        .headers({ ...apiHeaders, 'x-request-id': request.id })
        .type(problemMediaType)
        .send(JSON.stringify(problemBody(problem, { id: request.id, path: pathOf(request) })));
    },
  });

  server.addHook('onRequest', (request, response, done) => {
    response.headers({ ...apiHeaders, 'x-request-id': request.id });
    done();
  });
  server.addHook('onResponse', (request, response, done) => {
    logRequest(options, request, response.statusCode, response.elapsedTime);
    edge.finished?.(request, response, principalOf(request));
    done();
  });
  addErrorRendering(server);
  server.removeContentTypeParser('text/plain');

  const served = options.modules.flatMap(({ module, deps }) => module.routes.map((route) => ({ route, deps })));
  const all = served.filter(({ route }) => !isStreamRoute(route));
  registerStreamRoutes(server, served.map(({ route }) => route).filter(isStreamRoute), registration);
  for (const { route, deps } of all.filter(({ route }) => route.rawBody !== true))
    registerRoute(server, route, deps, registration);
  // Encapsulated, so that the byte parser reaches only the routes that verify bytes.
  void server.register(async (raw) => {
    // Fastify refuses a malformed content type before any parser sees it; what counts here are the bytes. The original
    // stays in `rawHeaders`.
    raw.addHook('onRequest', (request, _response, done) => {
      request.raw.headers['content-type'] = 'application/octet-stream';
      done();
    });
    raw.removeAllContentTypeParsers();
    raw.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    for (const { route, deps } of all.filter(({ route }) => route.rawBody === true))
      registerRoute(raw, route, deps, registration);
  });
  refuseOtherMethods(
    server,
    all.map(({ route }) => route),
  );
  return server;
};
