import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Route } from '../module/define-route.ts';
import type { Principal } from '../module/principal.ts';
import type { ProblemError } from '../problem/define-problem.ts';
import { problemBodyFor, problemMediaType } from './render-problem.ts';

/** An answer as it goes out: serialised, so that it can be stored and sent again byte for byte. */
export type Answer = {
  status: number;
  /** Lower-case names; `content-type` included. */
  headers: Record<string, string | string[]>;
  body: string;
};

/** One admitted request with valid input, just before its handler. */
export type Call = {
  request: FastifyRequest;
  response: FastifyReply;
  route: Route<unknown>;
  principal: Principal;
  input: { params: unknown; query: unknown; body: unknown };
};

/** Decides what becomes of a call: runs the handler, or answers in its place. `run` throws what the handler throws. */
export type AroundHandler = (run: () => Promise<Answer>) => Promise<Answer>;

/** What stands around every route besides access; implemented by the gateway, all parts optional. */
export type Edge = {
  /**
   * After access, before the body is read. May set response headers. No promise when the decision is known at once.
   * @throws ProblemError 429
   */
  limit?(
    request: FastifyRequest,
    response: FastifyReply,
    principal: Principal,
    route: Route<unknown>,
  ): void | Promise<void>;
  /** Undefined, the common case, when nothing has to stand around this call's handler. */
  around?(call: Call): AroundHandler | undefined;
  /** The answer has been sent, or the connection lost. */
  finished?(request: FastifyRequest, response: FastifyReply, principal: Principal): void;
};

/** A problem as the answer that would be sent for it. */
export const problemAnswer = (problem: ProblemError, request: Pick<FastifyRequest, 'id' | 'url'>): Answer => ({
  status: problem.definition.status,
  headers: { ...problem.options.headers, 'content-type': problemMediaType },
  body: JSON.stringify(problemBodyFor(problem, request)),
});
