import type { FastifyInstance, FastifyReply } from 'fastify';
import { tooSlow } from '../problem/core-problems.ts';

/** A caller gets an answer even when a store hangs; receivers of webhooks have a shorter limit of their own. */
const handlerTimeoutMs = 8_000;
const sweepEveryMs = 250;

/** Answers requests whose handlers take too long; what a handler does after that is not undone. */
export type HandlerTimeLimit = {
  begin(response: FastifyReply): void;
  end(response: FastifyReply): void;
};

/** One timer for all requests: a timer and an abort signal for each cost as much as checking a cached key. */
export const limitHandlerTime = (server: FastifyInstance): HandlerTimeLimit => {
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
