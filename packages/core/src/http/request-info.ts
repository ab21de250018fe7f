import type { FastifyRequest } from 'fastify';
import type { RequestInfo } from '../module/define-route.ts';

const logFields = new WeakMap<FastifyRequest, Record<string, unknown>>();

/** Fields that handlers added to the request's log line. */
export const logFieldsOf = (request: FastifyRequest): Record<string, unknown> => logFields.get(request) ?? {};

/** What a handler may know of the transport. */
export const requestInfo = (request: FastifyRequest): RequestInfo => {
  const log: Record<string, unknown> = {};
  logFields.set(request, log);
  return {
    id: request.id,
    ip: request.ip,
    userAgent: request.headers['user-agent'],
    headers: request.headers,
    rawHeaders: request.raw.rawHeaders,
    log,
  };
};
