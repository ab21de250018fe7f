import type { FastifyError } from 'fastify';
import { isDatabaseUnavailable } from '../database/database-errors.ts';
import {
  bodyTooLarge,
  databaseUnavailable,
  internalError,
  requestBodyUnreadable,
  requestInvalid,
  unsupportedMediaType,
} from '../problem/core-problems.ts';
import { ProblemError, type FieldError } from '../problem/define-problem.ts';

export const problemMediaType = 'application/problem+json';
/** Longest value of a parameter in a path, in characters; ids have 36 at most. */
export const maxPathPartLength = 200;

export type ProblemBody = {
  type: string;
  title: string;
  status: number;
  code: string;
  /** What to do next. */
  remedy: string;
  requestId: string;
  detail?: string;
  instance?: string;
  errors?: readonly FieldError[];
};

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('FST_');

/** Paths that the router gives up on, before any route is found. */
const pathErrors = new Map([
  ['FST_ERR_BAD_URL', 'The path cannot be decoded; percent-encode it as UTF-8.'],
  ['FST_ERR_MAX_PARAM_LENGTH', `A part of the path has more than ${maxPathPartLength} characters.`],
]);

const inBody = (detail: string): FieldError[] => [{ pointer: '/body', detail }];

/** Turns whatever was thrown into a problem; everything unknown becomes a 500 that says nothing. */
export const toProblem = (error: unknown): ProblemError => {
  if (error instanceof ProblemError) return error;
  if (isDatabaseUnavailable(error)) return databaseUnavailable({ headers: { 'retry-after': '2' }, cause: error });
  if (isFastifyError(error)) {
    const inPath = pathErrors.get(error.code);
    if (inPath !== undefined)
      return requestInvalid({ detail: inPath, errors: [{ pointer: '/params', detail: inPath }], cause: error });
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
      return bodyTooLarge({ errors: inBody('Is too large.'), cause: error });
    if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
      return unsupportedMediaType({
        errors: [{ pointer: '/headers/content-type', detail: 'Use application/json.' }],
        cause: error,
      });
    if (error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY')
      return requestInvalid({ errors: inBody('The body is empty.'), cause: error });
    if (error.statusCode !== undefined && error.statusCode < 500)
      return requestBodyUnreadable({ errors: inBody('Could not be read.'), cause: error });
  }
  if (error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500)
    return requestBodyUnreadable({ errors: inBody('Could not be read.'), cause: error });
  return internalError({ cause: error });
};

/** The RFC 9457 body. `instance` is the request's path without its query, which may hold personal data. */
export const problemBody = (problem: ProblemError, request: { id: string; path: string }): ProblemBody => {
  const { code, status, title, remedy } = problem.definition;
  const { detail, errors, members } = problem.options;
  return {
    ...members,
    type: `/docs/problems#${code}`,
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    instance: request.path,
    code,
    remedy,
    requestId: request.id,
    ...(errors === undefined ? {} : { errors }),
  };
};

const schemeAndHost = /^[a-z]+:\/\/[^/?]*/i;

/** The body for a request whose address may be in absolute form (RFC 9112 §3.2.2). */
export const problemBodyFor = (problem: ProblemError, { id, url }: { id: string; url: string }): ProblemBody =>
  problemBody(problem, { id, path: url.split('?', 1)[0]?.replace(schemeAndHost, '') || '/' });
