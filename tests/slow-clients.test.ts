import { connect, type Socket } from 'node:net';
import {
  bindModule,
  buildHttpServer,
  createLogger,
  defineModule,
  routeDefiner,
  type HttpLimits,
} from '@impact-hub/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

const defineRoute = routeDefiner<object>();
const output = { 200: z.object({ text: z.string() }) };
/** More than the buffers of both sides of a connection hold. */
const long = 'x'.repeat(32_000_000);
const routes = [
  defineRoute({
    method: 'POST',
    path: '/things',
    operationId: 'makeThing',
    summary: 'Make',
    access: 'public',
    input: { body: z.object({ name: z.string() }) },
    output,
    handler: () => ({ text: 'made' }),
  }),
  defineRoute({
    method: 'GET',
    path: '/long',
    operationId: 'readLong',
    summary: 'A long answer',
    access: 'public',
    output,
    handler: () => ({ text: long }),
  }),
];

const limits: HttpLimits = {
  headersTimeoutMs: 300,
  requestTimeoutMs: 600,
  handlerTimeoutMs: 8_000,
  socketIdleTimeoutMs: 500,
  keepAliveTimeoutMs: 400,
  checkEveryMs: 50,
  maxConnections: 20,
};
/** What a busy machine may add. */
const slackMs = 1_500;

const server = buildHttpServer({
  modules: [bindModule(defineModule<object>({ name: 'things', routes }), {})],
  authorize: () => {
    throw new Error('every route is public');
  },
  log: createLogger({ level: 'silent' }),
  metrics: { observe: () => undefined },
  limits,
});
let port = 0;
beforeAll(async () => {
  await server.listen({ port: 0, host: '127.0.0.1' });
  port = (server.server.address() as { port: number }).port;
});
afterAll(async () => {
  server.server.closeAllConnections();
  await server.close();
});

type Client = { socket: Socket; received(): string; closed: Promise<number> };

const openClient = (): Promise<Client> =>
  new Promise((resolve, reject) => {
    let text = '';
    const startedAtMs = performance.now();
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise<number>((end) => socket.once('close', () => end(performance.now() - startedAtMs)));
    socket.on('error', reject);
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.once('connect', () => resolve({ socket, received: () => text, closed }));
  });

const head = (line: string, ...headers: string[]): string => [line, 'Host: hub', ...headers, '', ''].join('\r\n');
const served = async (): Promise<number> =>
  (
    await fetch(`http://127.0.0.1:${port}/things`, {
      method: 'POST',
      body: '{"name":"x"}',
      headers: { 'content-type': 'application/json' },
    })
  ).status;

/** Sends the text a character at a time, as long as the server lets it. */
const drip = (socket: Socket, text: string, everyMs: number): void => {
  let sent = 0;
  const timer = setInterval(
    () => (socket.writable ? socket.write(text[sent++ % text.length] ?? '') : undefined),
    everyMs,
  );
  socket.once('close', () => clearInterval(timer));
};

describe('a client that takes its time is cut off, and others are served meanwhile', () => {
  test('headers that do not end: 408 when their time is over', async () => {
    const client = await openClient();
    client.socket.write('GET /things HTTP/1.1\r\nHost: hub\r\nX-Slow: ');
    drip(client.socket, 'slowloris', 20);
    expect(await served()).toBe(200);
    expect(await client.closed).toBeLessThan(limits.headersTimeoutMs + slackMs);
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
    expect(client.received()).toContain('"code":"request.timeout"');
  });

  test('a connection that never says anything', async () => {
    const client = await openClient();
    expect(await client.closed).toBeLessThan(limits.headersTimeoutMs + slackMs);
  });

  test('a body that trickles: 408 when its time is over', async () => {
    const client = await openClient();
    client.socket.write(head('POST /things HTTP/1.1', 'Content-Type: application/json', 'Content-Length: 100000'));
    drip(client.socket, 'x', 20);
    expect(await served()).toBe(200);
    expect(await client.closed).toBeLessThan(limits.requestTimeoutMs + slackMs);
    expect(client.received()).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('an answer that is not read', async () => {
    const client = await openClient();
    const closedByServer = new Promise<void>((resolve) =>
      server.server.once('request', (request) => request.socket.once('close', resolve)),
    );
    client.socket.pause();
    client.socket.write(head('GET /long HTTP/1.1'));
    const startedAtMs = performance.now();
    await closedByServer;
    expect(performance.now() - startedAtMs).toBeLessThan(2 * limits.socketIdleTimeoutMs + slackMs);
    client.socket.destroy();
    expect(await served()).toBe(200);
  });

  test('a kept-alive connection that is not used again', async () => {
    const client = await openClient();
    client.socket.write(head('GET /nowhere HTTP/1.1'));
    // Node keeps an idle connection a second longer than it says, so that a request on its way still finds it open.
    expect(await client.closed).toBeLessThan(limits.keepAliveTimeoutMs + 1_000 + slackMs);
    expect(client.received()).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('connections beyond the limit are closed at once, and there is room again when others go', async () => {
    const clients = await Promise.all(Array.from({ length: limits.maxConnections + 5 }, openClient));
    const isClosed = clients.map(() => false);
    for (const [index, { closed }] of clients.entries()) void closed.then(() => (isClosed[index] = true));
    await expect.poll(() => isClosed.filter(Boolean).length).toBeGreaterThanOrEqual(5);
    for (const { socket } of clients) socket.destroy();
    await Promise.all(clients.map(({ closed }) => closed));
    await expect.poll(served).toBe(200);
  });
});
