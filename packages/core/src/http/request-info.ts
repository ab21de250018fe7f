import type { FastifyRequest } from 'fastify';
import type { RequestInfo } from '../module/define-route.ts';
import { redactText } from '../telemetry/redact.ts';
import { stateOf } from './request-state.ts';

/** What a handler may know of the transport. */
export const requestInfo = (request: FastifyRequest): RequestInfo => {
  const userAgent = request.headers['user-agent'];
  const log: Record<string, unknown> = {};
  stateOf(request).log = log;
  return {
    id: request.id,
    ip: request.ip,
    // People try keys as `curl -A`; what is kept of a request must not hold them.
    userAgent: userAgent === undefined ? undefined : redactText(userAgent),
    headers: request.headers,
    rawHeaders: request.raw.rawHeaders,
    log,
  };
};
