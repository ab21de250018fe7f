import { request, type IncomingHttpHeaders } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import { reply, routeDefiner } from '../module/define-route.ts';
import { defineProblem } from '../problem/define-problem.ts';
import { createLogger } from '../telemetry/logger.ts';
import { buildHttpServer } from './build-http-server.ts';
import { isServerFailure } from './request-state.ts';

const wanted = defineProblem({ code: 'test.asked_for', status: 504, title: 'x', remedy: 'x.', isExpected: true });
const broken = defineProblem({ code: 'test.broken', status: 504, title: 'x', remedy: 'x.' });

const defineRoute = routeDefiner<null>();
const spec = { summary: 'x', access: 'public' } as const;
const output = { 200: z.object({ a: z.string() }) };
const routes = [
  defineRoute({ ...spec, method: 'GET', path: '/thing', operationId: 'get', output, handler: () => ({ a: 'ü' }) }),
  defineRoute({
    ...spec,
    method: 'DELETE',
    path: '/thing',
    operationId: 'remove',
    output: { 204: z.undefined() },
    handler: () => reply(204),
  }),
  defineRoute({
    ...spec,
    method: 'GET',
    path: '/problems/:code',
    operationId: 'fail',
    input: { params: z.object({ code: z.string() }) },
    output,
    handler: ({ input }) => {
      throw input.params.code === 'wanted' ? wanted() : broken();
    },
  }),
];

const lines: { level: string; status: number }[] = [];
const failures: boolean[] = [];
const server = buildHttpServer({
  modules: [bindModule(defineModule<null>({ name: 'things', routes }), null)],
  authorize: () => {
    throw new Error('every route is public');
  },
  edge: {
    around: (call) => async (run) => {
      const answer = await run();
      const isKnown = call.request.headers['if-none-match'] !== undefined;
      return isKnown ? { status: 304, headers: { etag: '"1"' }, body: '' } : answer;
    },
    finished: (asked) => failures.push(isServerFailure(asked, 504)),
  },
  log: createLogger({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line) as never) }),
  metrics: { observe: () => undefined },
});
let port = 0;
beforeAll(async () => {
  await server.listen({ host: '127.0.0.1', port: 0 });
  port = (server.server.address() as { port: number }).port;
});
afterAll(() => server.close());

const send = (method: string, path: string, headers: Record<string, string> = {}) =>
  new Promise<{ status: number | undefined; headers: IncomingHttpHeaders }>((resolve, reject) => {
    request({ port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode, headers: response.headers }));
    })
      .on('error', reject)
      .end();
  });

test.each([
  ['GET', { 'if-none-match': '"1"' }, 304, undefined],
  ['HEAD', { 'if-none-match': '"1"' }, 304, undefined],
  ['DELETE', {}, 204, undefined],
  ['GET', {}, 200, '10'],
  ['HEAD', {}, 200, '10'],
] as const)(
  '%s with %j is %i with the length %s of what a GET would bring',
  async (method, headers, status, length) => {
    const answer = await send(method, '/thing', headers);
    expect([answer.status, answer.headers['content-length']]).toEqual([status, length]);
    expect(answer.headers['transfer-encoding']).toBeUndefined();
  },
);

test('a 5xx that the caller asked for is no failure of the server', async () => {
  lines.length = failures.length = 0;
  await send('GET', '/problems/wanted');
  await send('GET', '/problems/broken');
  await expect
    .poll(() => lines.map(({ level, status }) => [level, status]))
    .toEqual([
      ['info', 504],
      ['error', 504],
    ]);
  expect(failures).toEqual([false, true]);
});
