import type { z } from 'zod';
import type { BoundModule } from '../module/define-module.ts';
import type { Route } from '../module/define-route.ts';
import { toJsonSchema } from './json-schema.ts';
import { describeResponses, headerParameters, responseComponents, type Json } from './openapi-responses.ts';

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

const requestBody = (route: Route<unknown>): Json => {
  if (route.rawBody === true)
    return { requestBody: { required: true, content: { '*/*': { schema: { type: 'string', format: 'binary' } } } } };
  if (route.input.body === undefined) return {};
  const schema = toJsonSchema(route.input.body, 'input', 'draft-2020-12');
  return { requestBody: { required: true, content: { 'application/json': { schema } } } };
};

const operation = (name: string, route: Route<unknown>): Json => ({
  operationId: route.operationId,
  tags: [name],
  summary: route.summary,
  ...(route.description === undefined ? {} : { description: route.description }),
  parameters: [
    ...parameters('path', route.input.params),
    ...parameters('query', route.input.query),
    ...headerParameters(route),
  ],
  ...requestBody(route),
  responses: describeResponses(route),
  security: security(route),
});

const introduction =
  'Impact Hub takes in what partners report, keeps each company’s data apart, and gives it out through one API. Send' +
  ' a key as `X-API-Key` or `Authorization: Bearer`. Every error is an RFC 9457 problem whose `code` is stable and whose' +
  ' `remedy` says what to do; [all of them](/docs/problems). Changes may be repeated safely with an `Idempotency-Key`.';

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
    info: {
      title: 'Impact Hub',
      version: info.version,
      description: introduction,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: info.serverUrl }],
    tags: modules
      .filter(({ module }) => module.routes.length > 0)
      .map(({ module }) => ({
        name: module.name,
        ...(module.description === undefined ? {} : { description: module.description }),
      })),
    paths,
    components: {
      ...responseComponents(),
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'teei_{live|test}_…' },
        session: { type: 'apiKey', in: 'cookie', name: 'hub.session_token' },
      },
    },
  };
};
