import type { FastifyInstance, FastifyReply, preParsingHookHandler, preValidationHookHandler } from 'fastify';
import { requestTimeout, tooSlow } from '../problem/core-problems.ts';

const sweepEveryMs = 250;

/** Answers requests whose handlers take too long; what a handler does after that is not undone. */
export type HandlerTimeLimit = {
  begin(response: FastifyReply): void;
  end(response: FastifyReply): void;
};

/** One timer for all requests: a timer and an abort signal for each cost as much as checking a cached key. */
export const limitHandlerTime = (server: FastifyInstance, handlerTimeoutMs: number): HandlerTimeLimit => {
  // In the order in which they began.
  const running = new Map<FastifyReply, number>();
  const sweep = (): void => {
    const begunBeforeMs = performance.now() - handlerTimeoutMs;
    for (const [response, begunAtMs] of running) {
      if (begunAtMs > begunBeforeMs) return;
      running.delete(response);
      if (!response.sent) void response.send(tooSlow({ headers: { 'retry-after': '5' } }));
    }
  };
  const timer = setInterval(sweep, sweepEveryMs).unref();
  server.addHook('onClose', (_server, done) => {
    clearInterval(timer);
    done();
  });
  return {
    begin: (response) => void running.set(response, performance.now()),
    end: (response) => void running.delete(response),
  };
};

/** Hooks of a route that reads a body: how long its caller takes to send it has a limit of its own, `requestTimeoutMs`. */
export const suspendWhileReading = (
  timeLimit: HandlerTimeLimit,
): { preParsing: preParsingHookHandler; preValidation: preValidationHookHandler } => ({
  preParsing: (_request, response, payload, done) => {
    timeLimit.end(response);
    done(null, payload);
  },
  preValidation: (request, response, done) => {
    // The caller has been told that the request did not arrive; it must not be acted on after all.
    if (request.raw.socket.writableEnded) return done(requestTimeout());
    timeLimit.begin(response);
    done();
  },
});
