import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest, preParsingHookHandler } from 'fastify';
import type { Route } from '../module/define-route.ts';
import { requestBodyUnreadable, requestInvalid, unsupportedMediaType } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';
import { findRepeatedName } from './find-repeated-name.ts';
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

const refuseEncoding = (): ProblemError => {
  const detail = 'Send the body as it is, without `Content-Encoding`.';
  return unsupportedMediaType({
    detail,
    errors: [{ pointer: '/headers/content-encoding', detail }],
    headers: { 'accept-encoding': 'identity' },
  });
};

const refuseNonUtf8 = (): ProblemError => {
  const detail = 'Is not valid UTF-8.';
  return requestBodyUnreadable({ detail: `The body: ${detail}`, errors: [{ pointer: '/body', detail }] });
};

const refuseRepeatedName = (pointer: string): ProblemError => {
  const detail = 'Is given more than once.';
  return requestInvalid({ detail: `/body${pointer}: ${detail}`, errors: [{ pointer: `/body${pointer}`, detail }] });
};

/**
 * Reads JSON as Fastify does, except: a name that an object gives twice is refused; bytes that are no UTF-8 are refused rather than replaced, which would make
 * different bodies the same; so is a compressed body; and clients that always say `application/json` may do so without
 * a body, where none is expected.
 */
export const takeJson = (server: FastifyInstance): void => {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    const bytes = body as Buffer;
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.toLowerCase() !== 'identity') done(refuseEncoding());
    else if (!isUtf8(bytes)) done(refuseNonUtf8());
    else if (bytes.length === 0 && stateOf(request).route?.input.body === undefined) done(null, undefined);
    else {
      const text = bytes.toString();
      void parse(request, text, (error, value) => {
        const repeated = error === null ? findRepeatedName(text, value) : undefined;
        done(repeated === undefined ? error : refuseRepeatedName(repeated), value);
      });
    }
  });
};
