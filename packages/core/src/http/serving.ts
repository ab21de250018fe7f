import { Counter, Gauge, type Registry } from 'prom-client';
import { overloaded } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';

/**
 * When a route is turned away: `never` those that say how the process is; `late` the receivers of webhooks, which are
 * the main job and whose senders do not all repeat; `first` all others.
 */
export type Shedding = 'never' | 'late' | 'first';

export type ServingLimits = {
  /** How late the event loop may be on average before requests are turned away. */
  maxEventLoopDelayMs: number;
  /** Requests under way at once before others are turned away; `late` routes are admitted up to twice as many. */
  maxConcurrentRequests: number;
};

/** What a process knows of its own serving: shared by the server, by `/ready` and by whoever ends it. */
export type Serving = {
  /** The process was asked to end: it serves on, and tells load balancers to go elsewhere. */
  draining: boolean;
  /** No new connection is taken any more: every answer is the last one of its connection. */
  closesConnections: boolean;
  requestsInFlight: number;
  /** Undefined when there is room. */
  overload(shedding: Shedding): 'event_loop' | 'concurrency' | undefined;
  /** The 503 of a request that is turned away; counted. */
  shed(reason: 'event_loop' | 'concurrency'): ProblemError;
  stop(): void;
};

/** Ten looks a second: a block is seen before the requests that piled up behind it, since timers come before sockets. */
const sampleEveryMs = 100;
/** Late receivers get as much again of either limit. */
const lateFactor = 2;

/**
 * Average lateness of a timer, in milliseconds, each new sample counting half. One long block, such as a garbage
 * collection, is forgotten within a few samples; a process that cannot keep up stays late.
 */
const watchEventLoop = (): { delayMs(): number; stop(): void } => {
  let averageMs = 0;
  let expectedAtMs = performance.now() + sampleEveryMs;
  const timer = setInterval(() => {
    const nowMs = performance.now();
    averageMs = (averageMs + Math.max(0, nowMs - expectedAtMs)) / 2;
    expectedAtMs = nowMs + sampleEveryMs;
  }, sampleEveryMs);
  timer.unref();
  return { delayMs: () => averageMs, stop: () => clearInterval(timer) };
};

/**
 * @param limits left out, nothing is ever turned away
 * @param registry gets `http_requests_in_flight`, `http_requests_shed_total` and `http_event_loop_delay_seconds`
 */
export const createServing = (limits?: ServingLimits, registry?: Registry): Serving => {
  const { maxEventLoopDelayMs = Infinity, maxConcurrentRequests = Infinity } = limits ?? {};
  const loop = limits === undefined ? { delayMs: () => 0, stop: () => undefined } : watchEventLoop();
  const registers = registry === undefined ? [] : [registry];
  const shedTotal = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests turned away because the process was at its limit, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const serving: Serving = {
    draining: false,
    closesConnections: false,
    requestsInFlight: 0,
    overload: (shedding) => {
      if (shedding === 'never') return undefined;
      const factor = shedding === 'late' ? lateFactor : 1;
      if (serving.requestsInFlight > maxConcurrentRequests * factor) return 'concurrency';
      return loop.delayMs() > maxEventLoopDelayMs * factor ? 'event_loop' : undefined;
    },
    shed: (reason) => {
      shedTotal.inc({ reason });
      return overloaded({ headers: { 'retry-after': '1' }, context: { shed: reason } });
    },
    stop: loop.stop,
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge(
    'http_requests_in_flight',
    'Requests that were begun and are not answered yet.',
    () => serving.requestsInFlight,
  );
  gauge(
    'http_event_loop_delay_seconds',
    'Average lateness of the event loop, as load shedding sees it.',
    () => loop.delayMs() / 1_000,
  );
  return serving;
};
