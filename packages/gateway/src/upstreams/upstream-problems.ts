import { defineProblem, PrivateAddressError, type BreakerOpenError, type ProblemError } from '@impact-hub/core';
import { errors } from 'undici';

const unreachable = defineProblem({
  code: 'upstreams.unreachable',
  status: 502,
  title: 'The service behind this address cannot be reached',
  remedy: 'Send the request again after the seconds given in `Retry-After`.',
});
const badAnswer = defineProblem({
  code: 'upstreams.bad_answer',
  status: 502,
  title: 'The service behind this address broke off or answered something that is not HTTP',
  remedy: 'Check whether the change was made, then send the request again.',
});
const tooSlow = defineProblem({
  code: 'upstreams.timeout',
  status: 504,
  title: 'The service behind this address did not answer in time',
  remedy: 'Check whether the change was made, then send the request again after the seconds given in `Retry-After`.',
});
const circuitOpen = defineProblem({
  code: 'upstreams.circuit_open',
  status: 503,
  title: 'The service behind this address keeps failing and is left alone for now',
  remedy: 'Send the request again after the seconds given in `Retry-After`.',
});
const busy = defineProblem({
  code: 'upstreams.busy',
  status: 503,
  title: 'The service behind this address has too many requests under way',
  remedy: 'Send the request again after the seconds given in `Retry-After`.',
});
const refusedAddress = defineProblem({
  code: 'upstreams.address_refused',
  status: 502,
  title: 'The service behind this address leads to a network it must not lead to',
  remedy: 'Tell the operator of the hub: the name of the target resolves to a private address.',
});

const after = (seconds: number): { 'retry-after': string } => ({ 'retry-after': String(seconds) });

/** For a circuit that is open, or whose one probe is under way. */
export const problemOfOpenCircuit = (error: BreakerOpenError): ProblemError =>
  circuitOpen({ headers: after(Math.max(1, Math.ceil(error.retryAfterMs / 1_000))) });

export const problemOfBusyUpstream = (): ProblemError => busy({ headers: after(1) });

const neverConnected = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

const codeOf = (error: Error): string => {
  const code = (error as { code?: unknown }).code ?? (error instanceof AggregateError ? error.errors[0]?.code : '');
  return typeof code === 'string' ? code : '';
};

const brokeOff = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'UND_ERR_SOCKET']);

/** Whether the connection failed, not the service: the same request may succeed over another one. */
export const isConnectionError = (error: Error): boolean =>
  neverConnected.has(codeOf(error)) || brokeOff.has(codeOf(error));

/** What the client is told when the upstream gave no answer to pass on; the reason itself is only logged. */
export const problemOfFailure = (error: Error, upstream: string): ProblemError => {
  const options = { cause: error, context: { upstream } };
  if (error instanceof PrivateAddressError) return refusedAddress(options);
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError)
    return tooSlow({ ...options, headers: after(5) });
  if (neverConnected.has(codeOf(error))) return unreachable({ ...options, headers: after(2) });
  return badAnswer(options);
};
