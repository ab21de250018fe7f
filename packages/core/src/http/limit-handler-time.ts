import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  preParsingHookHandler,
  preValidationHookHandler,
} from 'fastify';
import { requestTimeout, tooSlow } from '../problem/core-problems.ts';
import { stateOf, type TimedResponse } from './request-state.ts';

const sweepEveryMs = 250;

/** Answers requests whose handlers take too long; what a handler does after that is not undone. */
export type HandlerTimeLimit = {
  /** @param nowMs by the monotonic clock; no earlier than that of the call before */
  begin(request: FastifyRequest, response: FastifyReply, nowMs: number): void;
  end(request: FastifyRequest): void;
};

const leave = (timed: TimedResponse): void => {
  timed.previous.next = timed.next;
  timed.next.previous = timed.previous;
};

/** A ring whose one link without a response is before the first and after the last. */
const createRing = (): TimedResponse => {
  const ring = { response: undefined, begunAtMs: Infinity } as TimedResponse;
  ring.previous = ring.next = ring;
  return ring;
};

/**
 * One timer for all requests: a timer and an abort signal for each cost as much as checking a cached key. Linked, because
 * a map has to make a hash for every response.
 */
export const limitHandlerTime = (server: FastifyInstance, handlerTimeoutMs: number): HandlerTimeLimit => {
  const ring = createRing();
  const sweep = (): void => {
    const begunBeforeMs = performance.now() - handlerTimeoutMs;
    for (let first = ring.next; first.begunAtMs <= begunBeforeMs; first = ring.next) {
      leave(first);
      // Out of the ring for good, whatever ends it later.
      first.previous = first.next = first;
      if (first.response?.sent === false) void first.response.send(tooSlow({ headers: { 'retry-after': '5' } }));
    }
  };
  const timer = setInterval(sweep, sweepEveryMs).unref();
  server.addHook('onClose', (_server, done) => {
    clearInterval(timer);
    done();
  });
  return {
    begin: (request, response, nowMs) => {
      const timed = { response, begunAtMs: nowMs, previous: ring.previous, next: ring };
      ring.previous.next = timed;
      ring.previous = timed;
      stateOf(request).timed = timed;
    },
    end: (request) => {
      const state = stateOf(request);
      if (state.timed === undefined) return;
      leave(state.timed);
      state.timed = undefined;
    },
  };
};

/** Hooks of a route that reads a body: how long its caller takes to send it has a limit of its own, `requestTimeoutMs`. */
export const suspendWhileReading = (
  timeLimit: HandlerTimeLimit,
): { preParsing: preParsingHookHandler; preValidation: preValidationHookHandler } => ({
  preParsing: (request, _response, payload, done) => {
    timeLimit.end(request);
    done(null, payload);
  },
  preValidation: (request, response, done) => {
    // The caller has been told that the request did not arrive; it must not be acted on after all.
    if (request.raw.socket.writableEnded) return done(requestTimeout());
    timeLimit.begin(request, response, performance.now());
    done();
  },
});
