import type { z } from 'zod';
import type { BoundModule } from '../module/define-module.ts';
import { idempotencyOf, type Route } from '../module/define-route.ts';
import { listProblems } from '../problem/define-problem.ts';
import { toJsonSchema } from './json-schema.ts';
import { problemMediaType } from './render-problem.ts';

type Json = Record<string, unknown>;

const security = ({ access, onlyFor }: Route<unknown>): Json[] => {
  if (access === 'public' || access === 'signature') return [];
  const scopes = access === 'signedIn' ? [] : [...access.scopes];
  const session = { session: scopes };
  return onlyFor === undefined ? [{ apiKey: scopes }, { bearer: scopes }, session] : [session];
};

const parameters = (place: 'path' | 'query', schema: z.ZodType | undefined): Json[] => {
  if (schema === undefined) return [];
  const json = toJsonSchema(schema, 'input', 'draft-2020-12');
  const required = new Set((json['required'] as string[] | undefined) ?? []);
  return Object.entries((json['properties'] as Record<string, Json> | undefined) ?? {}).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.has(name),
    ...(property['description'] === undefined ? {} : { description: property['description'] }),
    schema: property,
  }));
};

const success = (route: Route<unknown>): Json =>
  Object.fromEntries(
    Object.entries(route.output).map(([status, schema]) => [
      status,
      {
        description: 'Success',
        ...(Number(status) === 204
          ? {}
          : {
              content: {
                [route.contentType ?? 'application/json']: { schema: toJsonSchema(schema, 'output', 'draft-2020-12') },
              },
            }),
      },
    ]),
  );

const requestBody = (route: Route<unknown>): Json => {
  if (route.rawBody === true)
    return { requestBody: { required: true, content: { '*/*': { schema: { type: 'string', format: 'binary' } } } } };
  if (route.input.body === undefined) return {};
  const schema = toJsonSchema(route.input.body, 'input', 'draft-2020-12');
  return { requestBody: { required: true, content: { 'application/json': { schema } } } };
};

const isRepeatable = (route: Route<unknown>): boolean => ['company', 'system'].includes(idempotencyOf(route));

const idempotencyKey: Json = { $ref: '#/components/parameters/IdempotencyKey' };
const idempotencyProblems = {
  409: {
    $ref: '#/components/responses/Problem',
    description: 'In conflict, or with this `Idempotency-Key` in flight: then send it again after `Retry-After`',
  },
  422: { $ref: '#/components/responses/Problem', description: 'The `Idempotency-Key` belongs to another request' },
};

const operation = (name: string, route: Route<unknown>): Json => ({
  operationId: route.operationId,
  tags: [name],
  summary: route.summary,
  ...(route.description === undefined ? {} : { description: route.description }),
  parameters: [
    ...parameters('path', route.input.params),
    ...parameters('query', route.input.query),
    ...(isRepeatable(route) ? [idempotencyKey] : []),
  ],
  ...requestBody(route),
  responses: {
    ...success(route),
    ...(isRepeatable(route) ? idempotencyProblems : {}),
    default: { $ref: '#/components/responses/Problem' },
  },
  security: security(route),
});

const problemResponse = (): Json => ({
  description: 'RFC 9457 problem',
  content: {
    [problemMediaType]: {
      schema: {
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
        },
      },
    },
  },
});

/** The OpenAPI 3.1 description of all routes of the modules. */
export const buildOpenApi = (modules: readonly BoundModule[], info: { version: string; serverUrl: string }): Json => {
  const paths: Record<string, Json> = {};
  for (const { module } of modules)
    for (const route of module.routes) {
      const path = route.path.replaceAll(/:(\w+)/g, '{$1}').replace(/\*$/, '{path}');
      (paths[path] ??= {})[route.method.toLowerCase()] = operation(module.name, route);
    }
  return {
    openapi: '3.1.0',
    info: { title: 'Impact Hub', version: info.version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: info.serverUrl }],
    tags: modules.filter(({ module }) => module.routes.length > 0).map(({ module }) => ({ name: module.name })),
    paths,
    components: {
      parameters: {
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
      responses: { Problem: problemResponse() },
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'teei_{live|test}_…' },
        session: { type: 'apiKey', in: 'cookie', name: 'hub.session_token' },
      },
    },
  };
};
