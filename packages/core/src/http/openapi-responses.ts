import { idempotencyOf, type Route } from '../module/define-route.ts';
import { listProblems } from '../problem/define-problem.ts';
import { toJsonSchema } from './json-schema.ts';
import { problemMediaType } from './render-problem.ts';

export type Json = Record<string, unknown>;

const text = (description: string): Json => ({ description, schema: { type: 'string' } });
const count = (description: string): Json => ({ description, schema: { type: 'integer', minimum: 0 } });

/** Headers that many answers have, by their name. */
const headers: Readonly<Record<string, Json>> = {
  'X-Request-Id': text('Names the request in the log: the one that was sent, if acceptable, else a new one'),
  'X-RateLimit-Limit': count('Requests per minute by the tighter of the limits of the caller and its company'),
  'X-RateLimit-Remaining': count('What of it is left'),
  'X-RateLimit-Reset': count('The Unix second from which on more is left'),
  RateLimit: text(
    'What is left by each limit, and in how many seconds there is more (draft-ietf-httpapi-ratelimit-headers)',
  ),
  'RateLimit-Policy': text('The limits, with their windows in seconds'),
  'Retry-After': count('Seconds to wait before the request is sent again'),
  ETag: text('Names this state of the answer; send it as `If-None-Match`'),
};
const rateLimits = Object.keys(headers).filter((name) => /ratelimit/i.test(name));

const refsTo = (names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

const problemSchema = (): Json => ({
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'remedy', 'requestId'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', enum: listProblems().map((problem) => problem.code) },
    remedy: { type: 'string' },
    requestId: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
      },
    },
    'violated-policies': {
      type: 'array',
      description: 'With `rate_limit.exceeded`: the limits that were reached, as `RateLimit-Policy` names them',
      items: { type: 'string' },
    },
  },
});

const problem = (description: string, ...more: string[]): Json => ({
  description,
  headers: refsTo(['X-Request-Id', ...more]),
  content: { [problemMediaType]: { schema: { $ref: '#/components/schemas/Problem' } } },
});

/** What `describeResponses` refers to. */
export const responseComponents = (): Json => ({
  headers,
  schemas: { Problem: problemSchema() },
  responses: {
    Problem: problem('RFC 9457 problem', 'Retry-After'),
    Invalid: problem('Something in the request is not valid; `errors` names every field'),
    Unauthenticated: problem('Valid credentials are required'),
    Forbidden: problem('The credentials do not allow this; `detail` names what is missing', ...rateLimits),
    NotFound: problem('No such thing, or one of another company', ...rateLimits),
    TooManyRequests: problem('A limit was reached', ...rateLimits, 'Retry-After'),
    NotModified: {
      description: 'The caller has this answer already, by its `If-None-Match`',
      headers: refsTo(['X-Request-Id', 'ETag']),
    },
  },
  parameters: {
    IfNoneMatch: {
      name: 'If-None-Match',
      in: 'header',
      required: false,
      description:
        'The `ETag` of an answer that the caller has: is it still the same, the answer is 304 without a body.',
      schema: { type: 'string' },
    },
    IdempotencyKey: {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description:
        'Any value of 1 to 255 visible ASCII characters, new for each change you mean to make, best a UUID. For 24' +
        ' hours the same request with the same key is answered as the first time, with `X-Idempotency-Replayed:' +
        ' true` and `X-Original-Timestamp`, and changes nothing more.',
      schema: { type: 'string', minLength: 1, maxLength: 255 },
    },
  },
});

const isGuarded = ({ access }: Route<unknown>): boolean => access !== 'public' && access !== 'signature';
const isRepeatable = (route: Route<unknown>): boolean => ['company', 'system'].includes(idempotencyOf(route));
const refusesKey = (route: Route<unknown>): boolean => idempotencyOf(route) === 'refused';
const takesInput = ({ input, rawBody }: Route<unknown>): boolean => rawBody !== true && Object.keys(input).length > 0;

/** What follows for a route of one kind: the component it refers to, and what is special about it. */
const consequences: readonly [applies: (route: Route<unknown>) => boolean, Record<number, Json>][] = [
  [({ cache }) => cache !== undefined, { 304: { $ref: '#/components/responses/NotModified' } }],
  [takesInput, { 400: { $ref: '#/components/responses/Invalid' } }],
  [
    refusesKey,
    {
      400: {
        $ref: '#/components/responses/Invalid',
        description:
          'Something in the request is not valid, or there is an `Idempotency-Key`, which this change refuses',
      },
    },
  ],
  [
    isGuarded,
    {
      401: { $ref: '#/components/responses/Unauthenticated' },
      403: { $ref: '#/components/responses/Forbidden' },
      429: { $ref: '#/components/responses/TooManyRequests' },
    },
  ],
  [
    ({ input, access }) => input.params !== undefined && access !== 'signature',
    { 404: { $ref: '#/components/responses/NotFound' } },
  ],
  [
    isRepeatable,
    {
      409: {
        $ref: '#/components/responses/Problem',
        description: 'In conflict, or with this `Idempotency-Key` in flight: then send it again after `Retry-After`',
      },
      422: { $ref: '#/components/responses/Problem', description: 'The `Idempotency-Key` belongs to another request' },
    },
  ],
];

const success = (route: Route<unknown>): Json => {
  const names = ['X-Request-Id', ...(route.cache ? ['ETag'] : []), ...(isGuarded(route) ? rateLimits : [])];
  const type = route.contentType ?? 'application/json';
  const content = (status: number) => {
    const schema = route.output[status];
    if (status === 204 || schema === undefined) return {};
    return { content: { [type]: { schema: toJsonSchema(schema, 'output', 'draft-2020-12') } } };
  };
  return Object.fromEntries(
    Object.keys(route.output).map((status) => [
      status,
      { description: 'Success', headers: refsTo(names), ...content(Number(status)) },
    ]),
  );
};

const refusals = ({ refuses = {} }: Route<unknown>): Json =>
  Object.fromEntries(
    Object.entries(refuses).map(([status, description]) => [
      status,
      { $ref: '#/components/responses/Problem', description },
    ]),
  );

/** Every answer that a route may give by what its data says of it. */
export const describeResponses = (route: Route<unknown>): Json => ({
  ...Object.assign({}, ...consequences.filter(([applies]) => applies(route)).map(([, responses]) => responses)),
  ...refusals(route),
  ...success(route),
  default: { $ref: '#/components/responses/Problem' },
});

/** The headers a route takes notice of. */
export const headerParameters = (route: Route<unknown>): Json[] => [
  ...(route.cache === undefined ? [] : [{ $ref: '#/components/parameters/IfNoneMatch' }]),
  ...(isRepeatable(route) ? [{ $ref: '#/components/parameters/IdempotencyKey' }] : []),
  ...(route.takes ?? []).map((header) => ({ ...header, in: 'header', required: false, schema: { type: 'string' } })),
];
