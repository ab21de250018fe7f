import type { Server } from 'node:http';
import fastify, {
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { BoundModule } from '../module/define-module.ts';
import type { Principal } from '../module/principal.ts';
import { notFound } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { HttpMetrics } from '../telemetry/metrics.ts';
import { traceIdOf } from '../telemetry/tracing.ts';
import type { AccessPolicy } from './access-policy.ts';
import { acceptUpgrades, upgradesOf } from './accept-upgrades.ts';
import { answerUnparsable, noteEarlyAnswer } from './answer-unparsable.ts';
import type { Edge } from './edge.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';
import { defaultHttpLimits, type HttpLimits } from './http-limits.ts';
import { limitHandlerTime, type HandlerTimeLimit } from './limit-handler-time.ts';
import { createLineBudget } from './line-budget.ts';
import { judgeHead } from './refuse-ambiguous-headers.ts';
import { takeJson } from './refuse-unexpected.ts';
import { registerRoute } from './register-route.ts';
import { isStreamRoute, registerStreamRoutes } from './register-stream-route.ts';
import { maxPathPartLength, problemBodyFor, problemMediaType, toProblem } from './render-problem.ts';
import { requestIdOf } from './request-id.ts';
import { isServerFailure, reserveRequestState, stateOf } from './request-state.ts';
import { securityHeaders } from './security-headers.ts';
import { createServing, type Serving } from './serving.ts';

export type HttpServerOptions = {
  modules: readonly BoundModule[];
  authorize: AccessPolicy;
  /** Limits, idempotency and caching around the routes; none by default. */
  edge?: Edge;
  log: Logger;
  metrics: HttpMetrics;
  /** How the process stands: sheds load and drains. Left out, it does neither. */
  serving?: Serving;
  /** Against slow, idle and too many clients; `defaultHttpLimits` where left out. */
  limits?: Partial<HttpLimits>;
  /** The public address is HTTPS. */
  https?: boolean;
  /** Addresses or ranges of proxies whose `X-Forwarded-For` is believed; none by default. */
  trustProxy?: readonly string[];
};

const callerOf = (principal: Principal): Record<string, unknown> => {
  if (principal.kind === 'api_key') return { companyId: principal.companyId, keyId: principal.keyId };
  if (principal.kind === 'person') return { companyId: principal.companyId, personId: principal.personId };
  return { companyId: principal.companyId };
};

const failureOf = ({ definition, options }: ProblemError, status: number): Record<string, unknown> => ({
  code: definition.code,
  ...options.context,
  ...(status >= 500 ? { err: options.cause } : {}),
});

const refusals = createLineBudget(() => performance.now());

/** One line per request. Never the address as sent, a header or the body: that is where callers put their secrets. */
const logRequest = (options: HttpServerOptions, request: FastifyRequest, status: number, durationMs: number): void => {
  const { principal, route: known, problem, log } = stateOf(request);
  const route = known?.path ?? request.routeOptions.url ?? 'unmatched';
  options.metrics.observe(request.method, route, status, durationMs);
  const level = isServerFailure(request, status) ? 'error' : 'info';
  if (!options.log.isLevelEnabled(level)) return;
  // Whoever has no key can cause these without end; the metrics count them all.
  const suppressed = status === 401 ? refusals.take() : 0;
  if (suppressed === undefined) return;
  const traceId = traceIdOf(request);
  options.log[level]({
    event: 'http.request',
    requestId: request.id,
    method: request.method,
    route,
    status,
    durationMs: Math.round(durationMs * 1_000) / 1_000,
    ip: request.ip,
    ...callerOf(principal),
    ...(traceId === undefined ? {} : { traceId }),
    ...(problem === undefined ? {} : failureOf(problem, status)),
    ...(suppressed === 0 ? {} : { suppressed }),
    ...log,
  });
};

const addErrorRendering = (server: FastifyInstance): void => {
  server.setErrorHandler((error, request, response) => {
    const problem = toProblem(error);
    stateOf(request).problem = problem;
    return response
      .status(problem.definition.status)
      .headers(problem.options.headers ?? {})
      .type(problemMediaType)
      .serializer(JSON.stringify)
      .send(problemBodyFor(problem, request));
  });
  server.setNotFoundHandler(() => {
    throw notFound();
  });
};

const serverOptions = (
  options: HttpServerOptions,
  headers: Readonly<Record<string, string>>,
): FastifyHttpOptions<Server> => {
  const limits = { ...defaultHttpLimits, ...options.limits };
  return {
    logger: false,
    genReqId: requestIdOf,
    trustProxy: options.trustProxy === undefined || options.trustProxy.length === 0 ? false : [...options.trustProxy],
    routerOptions: { maxParamLength: maxPathPartLength, ignoreTrailingSlash: true },
    // A missing Host is refused by `judgeHead`, with a problem.
    http: {
      requireHostHeader: false,
      shouldUpgradeCallback: upgradesOf(options.modules.flatMap(({ module }) => module.routes)),
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.checkEveryMs,
    },
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.socketIdleTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    clientErrorHandler: answerUnparsable,
    frameworkErrors: (error, request, response) => {
      const problem = toProblem(error);
      stateOf(request).problem = problem;
      const { status } = problem.definition;
      const untyped = response as unknown as FastifyReply;
      void untyped
        .status(status)
        .headers({ ...headers, 'x-request-id': request.id })
        .type(problemMediaType)
        .send(JSON.stringify(problemBodyFor(problem, request)));
      logRequest(options, request, status, untyped.elapsedTime);
    },
  };
};

/** For the log and the metrics, as nginx has it: the client went away before there was an answer. */
const clientGoneStatus = 499;

/** A late write to a response that is over is nothing to end the process for. */
const ignore = (): void => undefined;

/** What happens around every request: headers, counting, the judgement of its head, its line in the log. */
const addRequestHooks = (
  server: FastifyInstance,
  options: HttpServerOptions,
  serving: Serving,
  timeLimit: HandlerTimeLimit,
  headers: Readonly<Record<string, string>>,
): void => {
  const { edge = {} } = options;
  const end = (request: FastifyRequest, response: FastifyReply): void => {
    const state = stateOf(request);
    if (state.ended) return;
    state.ended = true;
    if (!response.sent && !response.raw.headersSent) response.raw.statusCode = clientGoneStatus;
    serving.requestsInFlight -= 1;
    timeLimit.end(request);
    noteEarlyAnswer(request.raw);
    logRequest(options, request, response.statusCode, performance.now() - state.startedAtMs);
    edge.finished?.(request, response, state.principal);
  };
  server.addHook('onRequest', (request, response, done) => {
    // Made here: its time begins.
    stateOf(request);
    serving.requestsInFlight += 1;
    // Comes after every answer, and also when the connection is lost before: of that, Fastify's `onResponse` says nothing.
    response.raw.on('close', () => end(request, response)).on('error', ignore);
    response.headers(headers).header('x-request-id', request.id);
    if (serving.closesConnections) response.header('connection', 'close');
    done(judgeHead(request.raw));
  });
};

/** Builds the server over the modules' route tables. Not listening yet: tests use `inject`, the hub `listen`. */
export const buildHttpServer = (options: HttpServerOptions): FastifyInstance => {
  const { authorize, edge = {}, serving = createServing() } = options;
  const headers = securityHeaders(options.https === true);
  const server = fastify(serverOptions(options, headers));
  const timeLimit = limitHandlerTime(server, options.limits?.handlerTimeoutMs ?? defaultHttpLimits.handlerTimeoutMs);
  const registration = { authorize, edge, serving, timeLimit };
  server.server.maxConnections = options.limits?.maxConnections ?? defaultHttpLimits.maxConnections;
  reserveRequestState(server);
  acceptUpgrades(server);
  // An expectation that nobody can meet is refused by `judgeHead`, with a problem.
  server.server.on('checkExpectation', server.routing);
  addRequestHooks(server, options, serving, timeLimit, headers);
  addErrorRendering(server);
  server.removeContentTypeParser('text/plain');
  takeJson(server);

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
