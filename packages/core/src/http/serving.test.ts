import { Registry } from 'prom-client';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import { routeDefiner } from '../module/define-route.ts';
import { createLogger } from '../telemetry/logger.ts';
import { buildHttpServer } from './build-http-server.ts';
import { drainServer, trackConnections } from './drain-server.ts';
import { createServing, type ServingLimits } from './serving.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const defineRoute = routeDefiner<object>();
const output = { 200: z.object({ ok: z.boolean() }) };

/** A hub whose `/slow` and `/webhooks/slow` answer when `release` is called. */
const startHub = async (limits: ServingLimits) => {
  const waiting: (() => void)[] = [];
  const slow = (path: string, access: 'public' | 'signature') =>
    defineRoute({
      method: 'GET',
      path,
      operationId: path,
      summary: path,
      access,
      output,
      handler: () => new Promise((resolve) => waiting.push(() => resolve({ ok: true }))),
    });
  const health = defineRoute({
    method: 'GET',
    path: '/health',
    operationId: 'health',
    summary: 'Health',
    access: 'public',
    output,
    handler: () => ({ ok: true }),
  });
  const routes = [slow('/slow', 'public'), slow('/webhooks/slow', 'signature'), health];
  const registry = new Registry();
  const serving = createServing(limits, registry);
  const server = buildHttpServer({
    modules: [bindModule(defineModule<object>({ name: 'slow', routes }), {})],
    authorize: () => {
      throw new Error('every route is open');
    },
    log: createLogger({ level: 'silent' }),
    metrics: { observe: () => undefined },
    serving,
  });
  const connections = trackConnections(server);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  ends.push(
    serving.stop,
    () => server.server.closeAllConnections(),
    () => server.close(),
  );
  const get = (path: string) => fetch(`${url}${path}`);
  const release = (): void => {
    for (const answer of waiting.splice(0)) answer();
  };
  return { url, get, release, waiting, serving, server, registry, connections };
};

const many = { maxEventLoopDelayMs: 60_000, maxConcurrentRequests: 1_000 };
const blockFor = (ms: number): void => {
  for (const endsAtMs = performance.now() + ms; performance.now() < endsAtMs;);
};

test('beyond so many requests under way others are told to come back, webhooks later, health never', async () => {
  const { get, release, waiting, serving, registry } = await startHub({ ...many, maxConcurrentRequests: 4 });
  const first = Array.from({ length: 4 }, () => get('/slow'));
  await expect.poll(() => waiting.length).toBe(4);
  const refused = await get('/slow');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.json()).toMatchObject({ code: 'service.overloaded' });
  expect((await get('/health')).status).toBe(200);

  const webhooks = Array.from({ length: 4 }, () => get('/webhooks/slow'));
  await expect.poll(() => waiting.length).toBe(8);
  expect((await get('/webhooks/slow')).status).toBe(503);
  expect((await get('/health')).status).toBe(200);
  expect(await registry.metrics()).toContain('http_requests_shed_total{reason="concurrency"} 2');
  expect(await registry.metrics()).toMatch(/http_requests_in_flight 8/);

  release();
  for (const answer of await Promise.all([...first, ...webhooks])) expect(answer.status).toBe(200);
  await expect.poll(() => serving.requestsInFlight).toBe(0);
  const again = get('/slow');
  await expect.poll(() => waiting.length).toBe(1);
  release();
  expect((await again).status).toBe(200);
});

test('requests that the client gives up are counted out again', async () => {
  const { url, waiting, serving } = await startHub(many);
  const gaveUp = new AbortController();
  const asked = fetch(`${url}/slow`, { signal: gaveUp.signal }).catch(() => undefined);
  await expect.poll(() => waiting.length).toBe(1);
  gaveUp.abort();
  await asked;
  await expect.poll(() => serving.requestsInFlight).toBe(0);
});

test('a process that cannot keep up turns requests away, says so in its metrics, and recovers', async () => {
  const { get, release, registry } = await startHub({ ...many, maxEventLoopDelayMs: 50 });
  // The timer of the watch has to be due once within the block.
  blockFor(600);
  const refused = await get('/slow');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect((await get('/health')).status).toBe(200);
  expect(await registry.metrics()).toMatch(/http_requests_shed_total\{reason="event_loop"\} [1-9]/);
  await expect
    .poll(
      async () => {
        const answer = get('/slow');
        const releasing = setInterval(release, 5);
        await answer.finally(() => clearInterval(releasing));
        return (await answer).status;
      },
      { timeout: 10_000 },
    )
    .toBe(200);
});

test('a server that drains serves on, also on kept-alive connections after it stopped listening, and resets none', async () => {
  const { Agent, request } = await import('node:http');
  const { url, waiting, release, serving, server, connections } = await startHub(many);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = (path: string, by?: InstanceType<typeof Agent>) =>
    new Promise<{ status: number | undefined; connection: string | undefined }>((resolve, reject) => {
      request(`${url}${path}`, { agent: by ?? false }, (response) => {
        const { statusCode: status, headers } = response;
        response.resume().on('end', () => resolve({ status, connection: headers.connection }));
      })
        .on('error', reject)
        .end();
    });
  expect(await ask('/health', agent)).toEqual({ status: 200, connection: 'keep-alive' });
  const slow = ask('/slow');
  await expect.poll(() => waiting.length).toBe(1);

  const drained = drainServer(server, serving, connections, { drainMs: 200, idleGraceMs: 5_000, inFlightMs: 5_000 });
  expect(serving.draining).toBe(true);
  expect((await ask('/health')).status).toBe(200);
  // Whoever keeps connections needs no new one, which a closing listener might reset.
  expect(await ask('/health', agent)).toEqual({ status: 200, connection: 'keep-alive' });
  await expect.poll(() => server.server.listening).toBe(false);
  await expect(ask('/health')).rejects.toThrow('ECONNREFUSED');
  // The connection kept alive since before.
  expect(await ask('/health', agent)).toEqual({ status: 200, connection: 'close' });
  release();
  expect((await slow).status).toBe(200);
  await drained;
  expect(connections.size).toBe(0);
});

test('a drain ends in time whatever clients do', async () => {
  const { connect } = await import('node:net');
  const { url, waiting, get, serving, server, connections } = await startHub(many);
  const silent = connect(Number(new URL(url).port), '127.0.0.1');
  const hanging = get('/slow').then(
    () => 'answered',
    () => 'cut off',
  );
  await expect.poll(() => [waiting.length, connections.size]).toEqual([1, 2]);
  await drainServer(server, serving, connections, { drainMs: 0, idleGraceMs: 0, inFlightMs: 200 });
  expect(await hanging).toBe('cut off');
  silent.destroy();
});
