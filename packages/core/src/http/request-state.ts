import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Route } from '../module/define-route.ts';
import { anonymous, type Principal } from '../module/principal.ts';
import type { ProblemError } from '../problem/define-problem.ts';

/** A response whose handler's time counts, with its neighbours in the order in which they began. */
export type TimedResponse = {
  response: FastifyReply | undefined;
  begunAtMs: number;
  previous: TimedResponse;
  next: TimedResponse;
};

/** What the server notes about one request besides what Fastify knows. */
export type RequestState = {
  principal: Principal;
  /** When its head had arrived, by the monotonic clock. */
  startedAtMs: number;
  /** When the access policy let it in, or began to; by the monotonic clock. */
  admittedAtMs: number;
  /** Since then something was waited for. */
  hasWaited: boolean;
  /** While its handler's time counts. */
  timed: TimedResponse | undefined;
  /** Undefined for an address or method that no route has. */
  route: Route<unknown> | undefined;
  /** What the request was answered with, when it failed. */
  problem: ProblemError | undefined;
  /** Fields that the handler adds to the request's log line. */
  log: Record<string, unknown> | undefined;
  /** It has been counted and logged. */
  ended: boolean;
};

const state = Symbol('hub.request');
type WithState = { [state]?: RequestState | null };

/** Reserves the place on the server's requests: five times as fast as a WeakMap, and nothing for the collector. */
export const reserveRequestState = (server: FastifyInstance): void => {
  server.decorateRequest(state as never, null as never);
};

/** The state of a request, made on first use. */
export const stateOf = (request: FastifyRequest): RequestState =>
  ((request as WithState)[state] ??= {
    principal: anonymous,
    startedAtMs: performance.now(),
    admittedAtMs: 0,
    hasWaited: false,
    timed: undefined,
    route: undefined,
    problem: undefined,
    log: undefined,
    ended: false,
  });

/**
 * For the access policy: who is calling, noted as soon as that is proven and before it is decided whether they may, so
 * that refusals are logged and counted as theirs.
 */
export const identify = (request: FastifyRequest, principal: Principal): void => {
  stateOf(request).principal = principal;
};

/** The principal the access policy found for this request. */
export const principalOf = (request: FastifyRequest): Principal => stateOf(request).principal;

/** Whether an answer of this status is a failure of ours; a problem that the caller asked for is none. */
export const isServerFailure = (request: object, status: number): boolean =>
  status >= 500 && (request as WithState)[state]?.problem?.definition.isExpected !== true;
