import { connect, type AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import { routeDefiner } from '../module/define-route.ts';
import { anonymous, type Principal } from '../module/principal.ts';
import { unauthenticated } from '../problem/core-problems.ts';
import { createLogger } from '../telemetry/logger.ts';
import { buildHttpServer } from './build-http-server.ts';
import { defaultHttpLimits } from './http-limits.ts';

const limits = {
  handlerTimeoutMs: 500,
  headersTimeoutMs: 1_500,
  requestTimeoutMs: 2_000,
  socketIdleTimeoutMs: 20_000,
  checkEveryMs: 50,
};

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** `/echo` says how often it ran; `authorize` may be slow; `/never` does not answer. */
const startServer = async (authorize: () => Principal | Promise<Principal> = () => anonymous) => {
  let runs = 0;
  const lines: { status: number; code?: string }[] = [];
  const defineRoute = routeDefiner<null>();
  const spec = {
    method: 'POST',
    summary: 'x',
    access: 'signedIn',
    output: { 200: z.object({ runs: z.number() }) },
  } as const;
  const input = { body: z.strictObject({ a: z.string() }) };
  const routes = [
    defineRoute({ ...spec, path: '/echo', operationId: 'echo', input, handler: () => ({ runs: (runs += 1) }) }),
    defineRoute({ ...spec, path: '/never', operationId: 'never', input, handler: () => new Promise(() => undefined) }),
  ];
  const server = buildHttpServer({
    modules: [bindModule(defineModule<null>({ name: 'things', routes }), null)],
    authorize,
    limits,
    log: createLogger({ level: 'info' }, { write: (line) => void lines.push(JSON.parse(line) as never) }),
    metrics: { observe: () => undefined },
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  ends.push(
    () => server.server.closeAllConnections(),
    () => server.close(),
  );
  const { port } = server.server.address() as AddressInfo;
  /** Sends the parts, each after so many milliseconds, and resolves with all that came back until the close. */
  const exchange = async (...parts: (readonly [afterMs: number, text: string])[]): Promise<string> => {
    let answer = '';
    const socket = connect(port, '127.0.0.1').on('data', (chunk) => (answer += String(chunk)));
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    for (const [afterMs, text] of parts) {
      await pause(afterMs);
      if (socket.writable) socket.write(text);
    }
    await closed;
    return answer;
  };
  return { exchange, runs: () => runs, lines };
};

const body = JSON.stringify({ a: 'b'.repeat(92) });
const head = (path: string, more = ''): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${more}content-length: ${body.length}\r\n\r\n`;
const closing = 'connection: close\r\n';
const statuses = (answer: string): string[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status = '']) => status);

test('an upload that stays incomplete ends with one 408 on a connection that closes, and the handler never runs', async () => {
  const { exchange, runs } = await startServer();
  const answer = await exchange([0, head('/echo') + body.slice(0, 4)]);
  expect(statuses(answer)).toEqual(['408']);
  expect(answer).toMatch(/connection: close/i);
  expect(answer).toContain('"code":"request.timeout"');
  expect(runs()).toBe(0);
});

test('what arrives after the 408 is not acted on', async () => {
  const { exchange, runs } = await startServer();
  const late = limits.requestTimeoutMs + 300;
  expect(statuses(await exchange([0, head('/echo') + body.slice(0, 4)], [late, body.slice(4)]))).toEqual(['408']);
  expect(runs()).toBe(0);
});

test('the time an upload takes is not the handler’s', async () => {
  const { exchange } = await startServer();
  const answer = await exchange([0, head('/echo', closing) + body.slice(0, 4)], [700, body.slice(4)]);
  expect(statuses(answer)).toEqual(['200']);
});

test('a handler that hangs after a slow upload is answered with 503', async () => {
  const { exchange } = await startServer();
  const answer = await exchange([0, head('/never', closing) + body.slice(0, 4)], [500, body.slice(4)]);
  expect(statuses(answer)).toEqual(['503']);
  expect(answer).toContain('"code":"service.too_slow"');
});

test.each([
  ['hangs', () => new Promise<never>(() => undefined), '503'],
  [
    'refuses',
    () => {
      throw unauthenticated();
    },
    '401',
  ],
] as const)(
  'access that %s is answered before the body is there, and nothing follows',
  async (_how, authorize, status) => {
    const { exchange, runs } = await startServer(authorize);
    expect(statuses(await exchange([0, head('/echo') + body.slice(0, 4)]))).toEqual([status]);
    expect(runs()).toBe(0);
  },
);

test('a silent upload is told that it took too long before its connection is taken for dead', () => {
  const { requestTimeoutMs, checkEveryMs, socketIdleTimeoutMs } = defaultHttpLimits;
  expect(socketIdleTimeoutMs).toBeGreaterThan(requestTimeoutMs + checkEveryMs);
});
