import { Server as NetServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Serving } from './serving.ts';

export type DrainTimes = {
  /** How long to serve on, not ready, while load balancers find out. */
  drainMs: number;
  /** How long kept-alive connections may bring one more request after the listener has closed. */
  idleGraceMs: number;
  /** How long requests under way may take after that. */
  inFlightMs: number;
};

const pollMs = 20;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const quietTurnMs = 0.2;
const maxTurns = 500;

/**
 * Right after a short turn of the event loop that brought neither a connection nor a request. The kernel resets what
 * waits to be accepted when a listener closes, and what has arrived on a connection that is taken for idle. Node accepts
 * one connection a turn, so a short turn alone does not say that none waits.
 */
const quietMoment = async ({ server }: FastifyInstance): Promise<void> => {
  let arrived = 0;
  const count = (): void => void (arrived += 1);
  server.on('connection', count).on('request', count);
  for (let turns = 0; turns < maxTurns; turns += 1) {
    const startedAtMs = performance.now();
    arrived = 0;
    await turn();
    if (arrived === 0 && performance.now() - startedAtMs < quietTurnMs) break;
  }
  server.off('connection', count).off('request', count);
};

const until = async (isDone: () => boolean, withinMs: number): Promise<void> => {
  const endsAtMs = performance.now() + withinMs;
  while (!isDone() && performance.now() < endsAtMs) await pause(Math.min(pollMs, endsAtMs - performance.now()));
};

/** Keeps account of a server's connections, which Node does for itself only. */
export const trackConnections = (server: FastifyInstance): ReadonlySet<Socket> => {
  const connections = new Set<Socket>();
  server.server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  return connections;
};

/**
 * Ends a server without failing a request that can still be served. From the first moment `/ready` says 503; the
 * listener closes after `drainMs`, and from then on every answer closes its connection; connections that stay idle end
 * `idleGraceMs` later, and what is still under way after another `inFlightMs` is cut off. With all times 0 idle
 * connections end at once.
 *
 * Connections are kept alive until the listener closes on purpose: a load balancer that does not ask `/ready` would open
 * a new one for every request, and those are what a closing listener resets. Afterwards it is refused before it has
 * sent anything, and can go elsewhere whatever the method.
 *
 * What remains are two moments of microseconds: a connection opened while the listener closes, which cannot happen when
 * the load balancer asks `/ready`; and a request sent while an idle connection is closed, which cannot happen when the
 * load balancer drops its idle connections sooner than `idleGraceMs`.
 */
export const drainServer = async (
  server: FastifyInstance,
  serving: Serving,
  connections: ReadonlySet<Socket>,
  times: DrainTimes,
): Promise<void> => {
  serving.draining = true;
  await pause(times.drainMs);
  await quietMoment(server);
  // `http.Server.close` would end idle connections at once.
  NetServer.prototype.close.call(server.server);
  serving.closesConnections = true;
  await until(() => connections.size === 0, times.idleGraceMs);
  await quietMoment(server);
  server.server.closeIdleConnections();
  // Node takes a connection that never brought a byte for a busy one.
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  await until(() => connections.size === 0, times.inFlightMs);
  server.server.closeAllConnections();
  await server.close();
};
