import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import { reply, routeDefiner } from '../module/define-route.ts';
import { unauthenticated } from '../problem/core-problems.ts';
import { defineProblem } from '../problem/define-problem.ts';
import { createLogger } from '../telemetry/logger.ts';
import { buildHttpServer } from './build-http-server.ts';
import { buildOpenApi } from './openapi.ts';

const defineRoute = routeDefiner<object>();
const teapot = defineProblem({ code: 'test.teapot', status: 418, title: 'A teapot', remedy: 'Use a coffee machine.' });
const unavailable = () => Object.assign(new Error('connect ECONNREFUSED secret-host'), { code: 'ECONNREFUSED' });

const routes = [
  defineRoute({
    method: 'POST',
    path: '/things/:id',
    operationId: 'makeThing',
    summary: 'Make a thing',
    access: 'public',
    input: {
      params: z.strictObject({ id: z.uuid() }),
      query: z.strictObject({ limit: z.coerce.number().int().max(10).optional() }),
      body: z.strictObject({ name: z.string().min(1), tags: z.array(z.string()).optional() }),
    },
    output: { 201: z.object({ name: z.string(), at: z.date() }) },
    handler: ({ input }) => ({ name: input.body.name, at: new Date(0), secret: 'never listed' }),
  }),
  defineRoute({
    method: 'POST',
    path: '/raw',
    operationId: 'raw',
    summary: 'Bytes',
    access: 'signature',
    rawBody: true,
    bodyLimitBytes: 16,
    takes: [{ name: 'X-Signature', description: 'Over the body' }],
    refuses: { 415: 'Not these bytes' },
    output: { 200: z.object({ hex: z.string() }), 202: z.object({ hex: z.string() }) },
    handler: ({ input, request }) =>
      reply(request.headers['x-later'] === undefined ? 200 : 202, {
        hex: (input.body as unknown as Buffer).toString('hex'),
      }),
  }),
  defineRoute({
    method: 'GET',
    path: '/fail/:how',
    operationId: 'fail',
    summary: 'Fail',
    access: 'public',
    input: { params: z.object({ how: z.string() }) },
    output: { 200: z.object({}) },
    handler: ({ input }) => {
      if (input.params.how === 'teapot') throw teapot({ detail: 'short and stout', headers: { 'retry-after': '7' } });
      if (input.params.how === 'database') throw unavailable();
      if (input.params.how === 'hang') return new Promise(() => undefined);
      if (input.params.how === 'bug') throw new TypeError('secret internals');
      return undefined;
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/mine',
    operationId: 'mine',
    summary: 'Mine',
    access: { scopes: ['data:read'] },
    output: { 200: z.object({}) },
    handler: () => ({}),
  }),
];
const modules = [bindModule(defineModule<object>({ name: 'things', routes }), {})];
const lines: Record<string, unknown>[] = [];
const server = buildHttpServer({
  modules,
  authorize: () => {
    throw unauthenticated();
  },
  log: createLogger(
    { level: 'info' },
    { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  ),
  metrics: { observe: () => undefined },
});
let port = 0;
beforeAll(async () => {
  await server.listen({ port: 0, host: '127.0.0.1' });
  port = (server.server.address() as { port: number }).port;
});
afterAll(() => server.close());

const id = '018f3b1e-7c8a-7000-8000-000000000001';
const post = (body: unknown, path = `/things/${id}`) =>
  server.inject({
    method: 'POST',
    url: path,
    payload: body as object,
    headers: { 'content-type': 'application/json' },
  });

test('fields outside the output schema are never sent, and dates are ISO strings', async () => {
  const response = await post({ name: 'x' });
  expect(response.statusCode).toBe(201);
  expect(response.json()).toEqual({ name: 'x', at: '1970-01-01T00:00:00.000Z' });
});

test('a refusal names every offending field of path, query and body', async () => {
  const response = await post({ name: '', colour: 'red', tags: ['a', 1] }, '/things/not-a-uuid?limit=99');
  expect(response.statusCode).toBe(400);
  expect(response.headers['content-type']).toContain('application/problem+json');
  const pointers = response.json<{ errors: { pointer: string }[] }>().errors.map((error) => error.pointer);
  expect(pointers.sort()).toEqual(['/body/colour', '/body/name', '/body/tags/1', '/params/id', '/query/limit']);
});

test.each([
  ['broken JSON', '{"name":', 'application/json', 400],
  ['an empty body', '', 'application/json', 400],
  ['a forbidden prototype key', '{"__proto__":{"x":1},"name":"x"}', 'application/json', 400],
  ['a type that is not JSON', '<x/>', 'application/xml', 415],
  ['plain text', 'x', 'text/plain', 415],
  ['a body over the limit', JSON.stringify({ name: 'x'.repeat(1_100_000) }), 'application/json', 413],
])('%s is refused as a problem, not an error', async (_name, payload, type, status) => {
  const response = await server.inject({
    method: 'POST',
    url: `/things/${id}`,
    payload,
    headers: { 'content-type': type },
  });
  expect(response.statusCode).toBe(status);
  expect(response.json()).toMatchObject({ status, requestId: expect.any(String), code: expect.any(String) });
});

test('a raw route gets the exact bytes whatever the content type says', async () => {
  const bytes = Buffer.from([0xff, 0x00, 0xfe, 0x7b]);
  for (const type of ['application/json', 'text/plain', 'application/x-unknown', 'nonsense', ';']) {
    const response = await server.inject({
      method: 'POST',
      url: '/raw',
      payload: bytes,
      headers: { 'content-type': type, 'x-later': '1' },
    });
    expect(response.statusCode).toBe(202);
    expect(response.json()).toEqual({ hex: 'ff00fe7b' });
  }
  const large = await server.inject({
    method: 'POST',
    url: '/raw',
    payload: Buffer.alloc(17),
    headers: { 'content-type': 'a/b' },
  });
  expect(large.statusCode).toBe(413);
});

test('a declared problem keeps its code, detail and headers', async () => {
  const response = await server.inject('/fail/teapot');
  expect(response.statusCode).toBe(418);
  expect(response.headers['retry-after']).toBe('7');
  expect(response.json()).toMatchObject({ code: 'test.teapot', detail: 'short and stout', instance: '/fail/teapot' });
});

test('an unreachable database is a 503 with Retry-After that names no host', async () => {
  const response = await server.inject('/fail/database?token=abc');
  expect(response.statusCode).toBe(503);
  expect(response.headers['retry-after']).toBeDefined();
  expect(response.body).not.toMatch(/secret-host|token/);
});

test('a handler that hangs is answered with 503 and Retry-After after some seconds', async () => {
  const response = await server.inject('/fail/hang');
  expect(response.statusCode).toBe(503);
  expect(response.json()).toMatchObject({ code: 'service.too_slow' });
  expect(response.headers['retry-after']).toBeDefined();
});

test('a bug tells the caller only where to ask, and tells the log everything', async () => {
  lines.length = 0;
  const response = await server.inject('/fail/bug');
  expect(response.statusCode).toBe(500);
  expect(response.body).not.toContain('secret internals');
  const { requestId } = response.json<{ requestId: string }>();
  expect(lines[0]).toMatchObject({ requestId, status: 500, err: { type: 'TypeError', message: 'secret internals' } });
});

test('absent things and unknown addresses give the same kind of answer', async () => {
  for (const url of ['/fail/absent', '/no/such/address']) {
    const response = await server.inject(url);
    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'request.not_found' });
  }
});

test('the access policy is asked before the body is read', async () => {
  expect((await server.inject('/mine')).statusCode).toBe(401);
});

test('a malformed HTTP request gets a problem and does not bring the server down', async () => {
  let answer = '';
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /\u0000 HTTP/9.9\r\nbad header\r\n\r\n'));
    socket
      .on('data', (chunk) => (answer += String(chunk)))
      .on('error', reject)
      .on('close', () => resolve());
  });
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).toContain('"code":"request.malformed"');
  expect((await server.inject('/fail/absent')).statusCode).toBe(404);
});

test.each(['/%', '/things/%E0%A4%A', '/things/..%2f..%2fetc', `/things/${'a'.repeat(300)}`])(
  'the odd path %s is a 4xx problem',
  async (url) => {
    const response = await server.inject({ method: 'POST', url, payload: { name: 'x' } });
    expect(response.statusCode).toBeGreaterThanOrEqual(400);
    expect(response.statusCode).toBeLessThan(500);
    expect(response.json()).toMatchObject({ code: expect.any(String) });
  },
);

test('every operation in the OpenAPI document states its security', () => {
  const document = buildOpenApi(modules, { version: '1', serverUrl: 'http://x' }) as {
    paths: Record<string, Record<string, { security: unknown[] }>>;
  };
  expect(document.paths['/things/{id}']?.['post']?.security).toEqual([]);
  expect(document.paths['/mine']?.['get']?.security).toContainEqual({ apiKey: ['data:read'] });
});

test('the OpenAPI document names the headers and refusals that a route has of its own', () => {
  const document = buildOpenApi(modules, { version: '1', serverUrl: 'http://x' }) as {
    paths: Record<string, Record<string, { parameters: object[]; responses: Record<string, object> }>>;
  };
  const operation = document.paths['/raw']?.['post'];
  expect(operation?.parameters).toEqual([
    { name: 'X-Signature', in: 'header', required: false, description: 'Over the body', schema: { type: 'string' } },
  ]);
  expect(operation?.responses['415']).toEqual({
    $ref: '#/components/responses/Problem',
    description: 'Not these bytes',
  });
});
