import type { Clock } from '@impact-hub/core';
import type { OpenConnection } from '../connections/open-connection.ts';
import type { OutboundEvent } from '../impact-event.ts';
import { TokenRefused, type AccessTokens } from './access-tokens.ts';
import { failed, type AttemptEnd } from './attempt-end.ts';
import { buildRequest } from './build-request.ts';
import { CallFailed, type HttpAnswer, type HttpCall, type HttpClient } from './http-client.ts';
import { judgeAnswer } from './judge-answer.ts';
import { createAnswerRedactor, createRedactor, redactRequest, type Exchange } from './redact-exchange.ts';
import { readPauseMs } from './read-pause.ts';

export type PartnerCallDeps = { http: HttpClient; tokens: AccessTokens; clock: Clock };

export type CallResult = {
  ends: Map<string, { end: AttemptEnd; exchange: Exchange | null }>;
  /** What the call says about the partner's service, not about what was sent. */
  health: 'success' | 'failure' | 'cancel';
  /** Until the partner wants to be called again, as it said; null when it did not. */
  pauseMs: number | null;
};

type Sent = { call: HttpCall; answer: HttpAnswer | null; error: CallFailed | null; accessToken: string | null };

export const explanations: Record<CallFailed['errorClass'], string> = {
  unreachable: 'the partner could not be reached',
  tls: 'the connection to the partner could not be secured',
  private_address: 'the address leads to a private network',
  timeout: 'no answer in time; the partner may have received it',
  connection_lost: 'the connection broke; the partner may have received it',
  answer_too_large: 'the answer was too large to read',
  aborted: 'the hub was shutting down; the partner may have received it',
};

/** Why no whole answer came, for people; with the system's code where it says what to look at. */
export const explainFailure = ({ errorClass, cause }: CallFailed): string => {
  const code = (cause as { code?: unknown } | null | undefined)?.code;
  const tells = (errorClass === 'unreachable' || errorClass === 'tls') && typeof code === 'string';
  return tells ? `${explanations[errorClass]} (${code})` : explanations[errorClass];
};

const endOfFailure = (failure: CallFailed): AttemptEnd =>
  failed(failure.errorClass, {
    result: failure.mayHaveArrived ? 'unknown' : 'failure',
    error: explainFailure(failure),
    httpStatus: failure.status,
  });

const send = async (
  deps: PartnerCallDeps,
  call: HttpCall,
  accessToken: string | null,
  signal?: AbortSignal,
): Promise<Sent> => {
  try {
    return { call, answer: await deps.http.call(call, signal), error: null, accessToken };
  } catch (error) {
    if (!(error instanceof CallFailed)) throw error;
    return { call, answer: null, error, accessToken };
  }
};

/** Makes a call with the connection's token, and once more with a new one when it is refused. */
export const callAuthenticated = async (
  deps: PartnerCallDeps,
  connection: OpenConnection,
  build: (accessToken: string | null) => HttpCall,
  signal?: AbortSignal,
): Promise<Sent> => {
  if (connection.api.auth.kind !== 'oauth') return send(deps, build(null), null, signal);
  const token = await deps.tokens.get(connection);
  const first = await send(deps, build(token), token, signal);
  if (first.answer?.status !== 401) return first;
  const renewed = await deps.tokens.get(connection, token);
  return send(deps, build(renewed), renewed, signal);
};

const endWithoutToken = (error: unknown): AttemptEnd => {
  if (error instanceof CallFailed) return { ...endOfFailure(error), result: 'failure' };
  if (error instanceof TokenRefused)
    return failed(error.isOfCredentials ? 'credentials' : 'partner_error', {
      error: error.message,
      httpStatus: error.status,
    });
  throw error;
};

const healthOf = ({ answer, error }: Pick<Sent, 'answer' | 'error'>): CallResult['health'] => {
  if (error !== null)
    return error.errorClass === 'aborted' || error.errorClass === 'private_address' ? 'cancel' : 'failure';
  // 429 is said to one customer; the service is well, and the connection waits by itself.
  return answer !== null && answer.status >= 500 ? 'failure' : 'success';
};

/**
 * Delivers events in one call and says what became of each. Never rejects for what a partner or the network does.
 *
 * @param events one, unless the API takes batches
 */
export const callPartner = async (
  deps: PartnerCallDeps,
  connection: OpenConnection,
  events: readonly OutboundEvent[],
  signal?: AbortSignal,
): Promise<CallResult> => {
  let sent: Sent;
  try {
    sent = await callAuthenticated(deps, connection, (token) => buildRequest(connection, events, token), signal);
  } catch (error) {
    const redact = createRedactor(connection, events, null);
    const plain = endWithoutToken(error);
    const end = { ...plain, error: redact(plain.error ?? '') };
    const failure = error instanceof CallFailed ? error : null;
    const isDown = error instanceof TokenRefused && error.status >= 500;
    return {
      ends: new Map(events.map(({ deliveryId }) => [deliveryId, { end, exchange: null }])),
      health: isDown ? 'failure' : healthOf({ answer: null, error: failure }),
      pauseMs: null,
    };
  }
  const { call, answer, error } = sent;
  const redact = createRedactor(connection, events, sent.accessToken);
  const judged = answer === null ? undefined : judgeAnswer(connection.api, answer, events);
  const respond = answer === null ? () => null : createAnswerRedactor(answer, redact);
  const ends: CallResult['ends'] = new Map();
  for (const event of events) {
    const { end, answer: own } = judged?.get(event.deliveryId) ?? {
      end: error === null ? failed('internal', { error: 'nothing was said about it' }) : endOfFailure(error),
      answer: null,
    };
    ends.set(event.deliveryId, {
      end: { ...end, error: end.error === null ? null : redact(end.error) },
      exchange: { request: redactRequest(connection, event, call, redact), response: respond(own) },
    });
  }
  // A fault of what was sent comes with status 500 in SOAP.
  const isFaultOfOurs = [...ends.values()].every(
    ({ end }) => end.errorClass === 'refused' || end.errorClass === 'credentials',
  );
  const health = isFaultOfOurs ? 'success' : healthOf(sent);
  return { ends, health, pauseMs: answer === null ? null : readPauseMs(connection.api, answer, deps.clock.nowMs()) };
};
