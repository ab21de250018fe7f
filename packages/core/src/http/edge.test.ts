import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import { reply, routeDefiner } from '../module/define-route.ts';
import { anonymous, type CompanyPrincipal } from '../module/principal.ts';
import { conflict, overloaded } from '../problem/core-problems.ts';
import type { ProblemError } from '../problem/define-problem.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createHttpMetrics, createMetrics } from '../telemetry/metrics.ts';
import { buildHttpServer } from './build-http-server.ts';
import { problemAnswer, type Answer, type Edge } from './edge.ts';

const caller: CompanyPrincipal = {
  kind: 'api_key',
  keyId: 'testkey00000',
  secretId: '0192f000-0000-7000-8000-000000000001',
  companyId: '0192f000-0000-7000-8000-000000000000',
  environment: 'live',
  scopes: new Set(),
  rateLimitPerMinute: 60,
};

const defineRoute = routeDefiner<null>();
const thing = defineModule<null>({
  name: 'thing',
  routes: [
    defineRoute({
      method: 'POST',
      path: '/things/:id',
      operationId: 'makeThing',
      summary: 'Make',
      access: 'signedIn',
      input: { params: z.object({ id: z.string() }) },
      output: { 201: z.object({ id: z.string() }) },
      handler: ({ input }) => {
        if (input.params.id === 'taken') throw conflict();
        return reply(201, { id: input.params.id, secret: 'unlisted' }, { location: '/things/1' });
      },
    }),
    defineRoute({
      method: 'GET',
      path: '/things/:id',
      operationId: 'getThing',
      summary: 'Get',
      access: 'public',
      output: { 200: z.object({}) },
      handler: () => ({}),
    }),
  ],
});

const serverWith = (edge: Edge) =>
  buildHttpServer({
    modules: [bindModule(thing, null)],
    authorize: (_request, access) => (access === 'public' ? anonymous : caller),
    edge,
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(createMetrics()),
  });

describe('the edge', () => {
  it('limits before the handler, knowing the principal, at once or by a promise', async () => {
    for (const later of [false, true]) {
      const server = serverWith({
        limit: (_request, response, principal, route) => {
          response.header('x-seen', `${principal.companyId} ${route.operationId}`);
          if (later) return Promise.reject(overloaded({ headers: { 'retry-after': '7' } }));
          throw overloaded({ headers: { 'retry-after': '7' } });
        },
      });
      const answer = await server.inject({ method: 'POST', url: '/things/1' });
      expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '7']);
      expect(answer.headers['x-seen']).toBe(`${caller.companyId} makeThing`);
    }
  });

  it('sees answers as they go out, and may answer in the handler’s place', async () => {
    const kept = new Map<string, Answer>();
    let runs = 0;
    const server = serverWith({
      around: ({ request, route }) => {
        if (route.method === 'GET') return undefined;
        return async (run) => {
          const known = kept.get(request.url);
          if (known !== undefined) return known;
          runs += 1;
          const answer = await run().catch((error: ProblemError) => problemAnswer(error, request));
          kept.set(request.url, answer);
          return answer;
        };
      },
    });
    for (const [url, status] of [
      ['/things/1', 201],
      ['/things/taken', 409],
    ] as const) {
      const first = await server.inject({ method: 'POST', url });
      const second = await server.inject({ method: 'POST', url });
      expect([first.statusCode, second.statusCode]).toEqual([status, status]);
      expect(second.body).toBe(first.body);
      expect(second.headers['content-type']).toBe(first.headers['content-type']);
    }
    expect(runs).toBe(2);
    expect(kept.get('/things/1')).toEqual({
      status: 201,
      headers: { 'content-type': 'application/json; charset=utf-8', location: '/things/1' },
      body: '{"id":"1"}',
    });
  });

  it('stores problems as they go out, also for an address in absolute form', async () => {
    const answer = problemAnswer(overloaded(), { id: 'order-12345', url: 'http://hub.example/things/1?secret=2' });
    expect(JSON.parse(answer.body)).toMatchObject({ instance: '/things/1', requestId: 'order-12345' });
    expect(answer.body).not.toContain('secret');
  });
});

describe('a method that an address does not take', () => {
  it('is refused with the methods it takes', async () => {
    const answer = await serverWith({}).inject({ method: 'DELETE', url: '/things/1' });
    expect([answer.statusCode, answer.json().code]).toEqual([405, 'request.method_not_allowed']);
    expect(answer.headers['allow']).toBe('GET, HEAD, OPTIONS, POST');
    expect((await serverWith({}).inject({ method: 'DELETE', url: '/nowhere' })).statusCode).toBe(404);
  });
});
