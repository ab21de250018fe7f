import { connect, type AddressInfo } from 'node:net';
import { expect, it, vi } from 'vitest';
import { z } from 'zod';
import { bindModule, defineModule } from '../module/define-module.ts';
import type { Route } from '../module/define-route.ts';
import { anonymous } from '../module/principal.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createHttpMetrics, createMetrics } from '../telemetry/metrics.ts';
import { buildHttpServer } from './build-http-server.ts';
import { createServing } from './serving.ts';

const route = (path: string, more: Partial<Route<unknown>>): Route<unknown> => ({
  method: 'GET',
  path,
  operationId: path,
  summary: path,
  access: 'signedIn',
  input: {},
  output: { 200: z.object({}) },
  handler: () => ({}),
  ...more,
});

it('requests whose client goes away, or whose answer breaks off, end like any other: counted once, finished once', async () => {
  const serving = createServing();
  const finished: string[] = [];
  const begun = vi.fn<() => void>();
  const routes = [
    route('/whole', {}),
    route('/never', {
      handler: () => {
        begun();
        return new Promise(() => undefined);
      },
    }),
    route('/half/*', {
      stream: ({ response }) => {
        response.hijack();
        response.raw.writeHead(200).write('half', () => response.raw.destroy());
      },
    }),
  ];
  const server = buildHttpServer({
    modules: [bindModule(defineModule<unknown>({ name: 'things', routes }), null)],
    authorize: () => anonymous,
    serving,
    edge: { finished: (request, response) => finished.push(`${request.url} ${response.statusCode}`) },
    log: createLogger({ level: 'silent' }),
    metrics: createHttpMetrics(createMetrics()),
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  const send = (path: string) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`));
    return socket;
  };
  const gone = send('/never');
  await expect.poll(() => begun).toHaveBeenCalled();
  expect(serving.requestsInFlight).toBe(1);
  gone.destroy();
  await expect.poll(() => finished).toEqual(['/never 499']);
  send('/half/x');
  await expect.poll(() => finished).toHaveLength(2);
  const whole = send('/whole');
  await expect.poll(() => finished).toHaveLength(3);
  whole.destroy();
  await server.inject('/whole');
  expect(finished).toEqual(['/never 499', '/half/x 200', '/whole 200', '/whole 200']);
  expect(serving.requestsInFlight).toBe(0);
  server.server.closeAllConnections();
  await server.close();
});
