import { defineProblem } from './define-problem.ts';

export const requestInvalid = defineProblem({
  code: 'request.invalid',
  status: 400,
  title: 'The request is not valid',
  remedy: 'Correct the fields listed under `errors` and send the request again.',
});
export const requestBodyUnreadable = defineProblem({
  code: 'request.body_unreadable',
  status: 400,
  title: 'The request body could not be read',
  remedy: 'Send a complete body of the announced length that is valid JSON.',
});
export const requestMalformed = defineProblem({
  code: 'request.malformed',
  status: 400,
  title: 'The request is not valid HTTP',
  remedy: 'Use an HTTP client; characters that a header may not hold are the usual cause.',
});
export const expectationFailed = defineProblem({
  code: 'request.expectation_failed',
  status: 417,
  title: 'The expectation cannot be met',
  remedy: 'Leave the `Expect` header out or send `100-continue`.',
});
export const headersTooLarge = defineProblem({
  code: 'request.headers_too_large',
  status: 431,
  title: 'The request headers are too large',
  remedy: 'Send at most 100 headers of less than 16 KiB in all.',
});
export const uriTooLong = defineProblem({
  code: 'request.uri_too_long',
  status: 414,
  title: 'The address is too long',
  remedy: 'Send less than 8,000 bytes of address; what is long belongs in the body.',
});
export const requestTimeout = defineProblem({
  code: 'request.timeout',
  status: 408,
  title: 'The request did not arrive in time',
  remedy: 'Send the whole request within 30 seconds.',
});
export const unsupportedMediaType = defineProblem({
  code: 'request.unsupported_media_type',
  status: 415,
  title: 'The content type is not supported',
  remedy: 'Send the body as `application/json`.',
});
export const bodyTooLarge = defineProblem({
  code: 'request.body_too_large',
  status: 413,
  title: 'The request body is too large',
  remedy: 'Send a smaller body; the limit is given under `detail`.',
});
export const unauthenticated = defineProblem({
  code: 'auth.unauthenticated',
  status: 401,
  title: 'Valid credentials are required',
  remedy: 'Send a valid key as `X-API-Key` or `Authorization: Bearer`, or sign in.',
});
export const forbidden = defineProblem({
  code: 'auth.forbidden',
  status: 403,
  title: 'The credentials do not allow this',
  remedy: 'Ask a company administrator for a key or role with the scopes named under `detail`.',
});
export const notFound = defineProblem({
  code: 'request.not_found',
  status: 404,
  title: 'There is nothing at this address',
  remedy: 'Check the address and the id; things of another company are reported as absent.',
});
export const methodNotAllowed = defineProblem({
  code: 'request.method_not_allowed',
  status: 405,
  title: 'This address does not take this method',
  remedy: 'Use one of the methods listed in `Allow`.',
});
export const conflict = defineProblem({
  code: 'request.conflict',
  status: 409,
  title: 'The request conflicts with the current state',
  remedy: 'Read the current state, then decide whether to send the request again.',
});
export const databaseUnavailable = defineProblem({
  code: 'service.database_unavailable',
  status: 503,
  title: 'The database does not answer',
  remedy: 'Send the request again after the seconds given in `Retry-After`.',
});
export const tooSlow = defineProblem({
  code: 'service.too_slow',
  status: 503,
  title: 'The answer took too long',
  remedy:
    'If the request was a change, read whether it was made; then send it again after the seconds given in `Retry-After`.',
});
export const overloaded = defineProblem({
  code: 'service.overloaded',
  status: 503,
  title: 'The service is at its limit',
  remedy: 'Send the request again after the seconds given in `Retry-After`.',
});
export const internalError = defineProblem({
  code: 'service.internal_error',
  status: 500,
  title: 'Something went wrong on our side',
  remedy: 'Report the `requestId`; the cause is in the log under that id.',
});
