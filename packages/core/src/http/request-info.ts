import type { FastifyRequest } from 'fastify';
import type { RequestInfo } from '../module/define-route.ts';
import { stateOf } from './request-state.ts';

/** What a handler may know of the transport. */
export const requestInfo = (request: FastifyRequest): RequestInfo => {
  const log: Record<string, unknown> = {};
  stateOf(request).log = log;
  return {
    id: request.id,
    ip: request.ip,
    userAgent: request.headers['user-agent'],
    headers: request.headers,
    rawHeaders: request.raw.rawHeaders,
    log,
  };
};
