import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  BreakerOpenError,
  coreProblems,
  isFailureStatus,
  type CompanyPrincipal,
  type Permit,
  type ProblemError,
  type StreamCall,
} from '@impact-hub/core';
import { errors, type Dispatcher } from 'undici';
import { BodyTooLargeError, bodySource, ClientGoneError, hasBody } from './body-source.ts';
import { joinWebSocket, requireForWebSocket } from './join-websocket.ts';
import { upstreamRequestHeaders } from './request-headers.ts';
import { clientResponseHeaders } from './response-headers.ts';
import { retryDelayMs } from './retry-budget.ts';
import {
  isConnectionError,
  problemOfBusyUpstream,
  problemOfFailure,
  problemOfOpenCircuit,
} from './upstream-problems.ts';
import type { Upstream, UpstreamTotals } from './upstream.ts';

type Headers = Record<string, string | string[] | undefined>;

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);
const retriedStatuses = new Set([502, 503, 504]);

/** undici's long timeouts are late by up to half a second. */
const graceMs = 2_000;

const bodyTooLarge = ({ settings }: Upstream): ProblemError =>
  coreProblems.bodyTooLarge({
    detail: `The limit is ${settings.maxBodyBytes} bytes.`,
    headers: { connection: 'close' },
  });

/**
 * One request on its way through: undici calls the methods as the answer comes in. Chunks go on as they are, no faster
 * than the other side takes them.
 */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #upstream: Upstream;
  readonly #call: StreamCall;
  readonly #raw: ServerResponse;
  readonly #dispatched: Dispatcher.DispatchOptions;
  readonly #mayRetry: boolean;
  #permit: Permit | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #retries = 0;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #deadline: NodeJS.Timeout | undefined;
  /** This attempt's answer is dropped; the next attempt is on its way. */
  #isAbandoned = false;
  #isClientGone = false;
  #isOver = false;
  #status = 0;
  /** Bytes of the body still to come, when its length was announced. */
  #remaining = Number.NaN;

  constructor(upstream: Upstream, call: StreamCall, path: string) {
    const { request } = call;
    const withBody = hasBody(request.raw);
    const identity = upstream.signer.tokenFor(call.principal as CompanyPrincipal, upstream.settings.name);
    this.#upstream = upstream;
    this.#call = call;
    this.#raw = call.response.raw;
    this.#mayRetry = safeMethods.has(request.method) && !withBody && !call.isUpgrade;
    this.#dispatched = {
      path,
      method: request.method,
      headers: upstreamRequestHeaders(request, identity),
      body: withBody ? bodySource(request.raw, upstream.settings.maxBodyBytes) : null,
      upgrade: call.isUpgrade ? 'websocket' : null,
    };
  }

  /** @throws ProblemError when the circuit is open */
  start(): void {
    try {
      this.#permit = this.#upstream.breaker.permit();
    } catch (error) {
      this.#upstream.totals.refused += 1;
      throw error instanceof BreakerOpenError ? problemOfOpenCircuit(error) : error;
    }
    this.#upstream.inFlight += 1;
    this.#upstream.budget.onRequest();
    this.#raw.once('close', this.#onClientClose);
    this.#beAsPatientWithTheClient();
    // With a body, the time begins with its last byte: undici counts it, and nothing is repeated.
    if (this.#dispatched.body === null) this.#beginDeadline(this.#upstream.settings.timeoutMs);
    this.#attempt();
  }

  /** The hub's own limit on silent connections must not end before the upstream's; Node restores it afterwards. */
  #beAsPatientWithTheClient(): void {
    const { timeoutMs, idleTimeoutMs } = this.#upstream.settings;
    const { socket } = this.#call.request.raw;
    const silenceMs = Math.max(timeoutMs, idleTimeoutMs) + graceMs;
    if (socket.timeout !== undefined && socket.timeout !== 0 && socket.timeout < silenceMs)
      socket.setTimeout(silenceMs);
  }

  /** One for all attempts, their connections and the pauses between them. */
  #beginDeadline(timeoutMs: number): void {
    this.#deadlineMs = performance.now() + timeoutMs;
    this.#deadline = setTimeout(() => {
      if (this.#isClientGone) return this.#abort();
      const error = new errors.HeadersTimeoutError();
      this.#report('failure');
      this.#answer('failed', problemOfFailure(error, this.#upstream.settings.name));
      this.#controller?.abort(error);
    }, timeoutMs);
  }

  #attempt(): void {
    this.#isAbandoned = false;
    this.#controller = undefined;
    this.#upstream.pool.dispatch(this.#dispatched, this);
  }

  readonly #onClientClose = (): void => {
    if (this.#isOver) return;
    this.#isClientGone = true;
    this.#controller?.abort(new ClientGoneError());
  };

  #report(outcome: keyof Permit): void {
    this.#permit?.[outcome]();
    this.#permit = undefined;
  }

  #finish(outcome: keyof UpstreamTotals): void {
    clearTimeout(this.#deadline);
    this.#isOver = true;
    this.#upstream.inFlight -= 1;
    this.#upstream.totals[outcome] += 1;
  }

  /** Whether the failed attempt is repeated; decided before the client has seen anything of it. */
  #tryAgain(): boolean {
    const { settings, budget, breaker, random, totals } = this.#upstream;
    const delayMs = retryDelayMs(this.#retries, random);
    const isInTime = performance.now() + delayMs < this.#deadlineMs;
    if (!this.#mayRetry || this.#retries >= settings.retries || !isInTime || !budget.take()) return false;
    try {
      this.#permit = breaker.permit();
    } catch {
      return false;
    }
    totals.retried += 1;
    this.#controller = undefined;
    setTimeout(() => this.#again(), delayMs);
    this.#retries += 1;
    return true;
  }

  #again(): void {
    if (this.#isOver) return;
    if (!this.#isClientGone) return this.#attempt();
    this.#report('cancel');
    this.#finish('aborted');
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isClientGone || this.#isOver) controller.abort(new ClientGoneError());
  }

  onRequestUpgrade(_controller: Dispatcher.DispatchController, _status: number, headers: Headers, other: Duplex): void {
    clearTimeout(this.#deadline);
    this.#report('success');
    this.#raw.removeListener('close', this.#onClientClose);
    this.#call.request.raw.socket.once('close', () => this.#finish('answered'));
    joinWebSocket(this.#upstream, this.#call, headers, other);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    if (isFailureStatus(status)) {
      this.#report('failure');
      if (retriedStatuses.has(status) && this.#tryAgain()) {
        this.#isAbandoned = true;
        return controller.abort(new Error('the answer is not used'));
      }
    }
    clearTimeout(this.#deadline);
    const { response } = this.#call;
    this.#status = status;
    this.#remaining = Number(headers['content-length'] ?? Number.NaN);
    response.hijack();
    this.#raw.writeHead(status, clientResponseHeaders(headers, response.getHeaders(), this.#upstream.headerRules));
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#remaining -= chunk.length;
    // One write for the common answer that is one chunk of known length.
    if (this.#remaining === 0) return void this.#raw.end(chunk);
    if (this.#raw.write(chunk)) return;
    controller.pause();
    this.#raw.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#finish('answered');
    this.#report('success');
    if (!this.#raw.writableEnded) this.#raw.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isAbandoned || this.#isOver) return;
    if (this.#isClientGone || error instanceof ClientGoneError) return this.#abort();
    if (error instanceof BodyTooLargeError) {
      this.#report('cancel');
      return this.#answer('refused', bodyTooLarge(this.#upstream));
    }
    this.#report('failure');
    if (this.#status === 0 && isConnectionError(error) && this.#tryAgain()) return;
    this.#answer('failed', problemOfFailure(error, this.#upstream.settings.name));
  }

  #abort(): void {
    this.#report('cancel');
    this.#finish('aborted');
    this.#raw.destroy();
  }

  #answer(outcome: keyof UpstreamTotals, problem: ProblemError): void {
    this.#finish(outcome);
    // Half an answer must not look like a whole one.
    if (this.#status !== 0) return void this.#raw.destroy();
    if (!this.#call.request.raw.complete) this.#call.response.header('connection', 'close');
    this.#call.response.send(problem);
  }
}

/**
 * Sends an admitted request on to its upstream and the answer back, without holding either.
 * @throws ProblemError when it is not sent at all
 */
export const forwardRequest = (upstream: Upstream, call: StreamCall): void => {
  const { settings, totals } = upstream;
  const { raw } = call.request;
  const path = upstream.targetPath(raw.url ?? '');
  if (call.isUpgrade) requireForWebSocket(upstream, call);
  const coding = raw.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    throw coreProblems.requestMalformed({ detail: 'The only transfer coding understood is chunked.' });
  if (Number(raw.headers['content-length'] ?? 0) > settings.maxBodyBytes) throw bodyTooLarge(upstream);
  if (upstream.inFlight >= settings.maxConcurrent) {
    totals.refused += 1;
    throw problemOfBusyUpstream();
  }
  new Exchange(upstream, call, path).start();
};
