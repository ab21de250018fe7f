import type { FastifyInstance, FastifyRequest, preParsingHookHandler } from 'fastify';
import type { Route } from '../module/define-route.ts';
import { requestInvalid, unsupportedMediaType } from '../problem/core-problems.ts';
import { stateOf } from './request-state.ts';

const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i;

/** JSON is UTF-8 (RFC 8259 §8.1); text in another encoding would be read wrongly and without a complaint. */
export const refuseOtherCharsets: preParsingHookHandler = (request, _response, payload, done) => {
  const type = request.headers['content-type'];
  const given = type === undefined || type === 'application/json' ? undefined : charset.exec(type)?.[1]?.toLowerCase();
  if (given === undefined || given === 'utf-8' || given === 'utf8') return done(null, payload);
  const detail = 'Send JSON as UTF-8.';
  done(unsupportedMediaType({ detail, errors: [{ pointer: '/headers/content-type', detail }] }));
};

/**
 * Refuses a body with a request that has none by its nature: Fastify does not read it, and what a proxy and the hub
 * understand differently is how requests are smuggled.
 * @throws ProblemError `request.invalid`
 */
export const refuseUnexpected = (route: Route<unknown>, { headers }: FastifyRequest): void => {
  if (route.method !== 'GET') return;
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  if (length === '0' && encoding === undefined) return;
  const detail = 'This address takes no body.';
  throw requestInvalid({ detail, errors: [{ pointer: '/body', detail }] });
};

/** Clients that always say `application/json` may do so without a body, where none is expected. */
export const takeEmptyJson = (server: FastifyInstance): void => {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '' && stateOf(request).route?.input.body === undefined) done(null, undefined);
    else void parse(request, body as string, done);
  });
};
