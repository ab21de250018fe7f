import { Server as NetServer, type Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Serving } from './serving.ts';

export type DrainTimes = {
  /** How long to serve on, not ready, while load balancers find out. */
  drainMs: number;
  /** How long kept-alive connections may still bring a request after the last new connection. */
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
 * Right after a look at the sockets that found next to nothing: connections that wait to be accepted when a listener
 * closes are reset, and so are bytes that arrived on a connection taken for idle.
 */
const quietMoment = async (): Promise<void> => {
  for (let turns = 0; turns < maxTurns; turns += 1) {
    const startedAtMs = performance.now();
    await turn();
    if (performance.now() - startedAtMs < quietTurnMs) return;
  }
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
 * Ends a server without failing a request that can still be served. From the first moment `/ready` says 503 and every
 * answer closes its connection; the listener closes after `drainMs`, idle connections `idleGraceMs` later, and what
 * is still under way after another `inFlightMs` is cut off. With all times 0 idle connections end at once.
 *
 * What remains is inherent to HTTP/1.1: a request sent in the very moment in which an idle connection is closed. It
 * cannot happen when the load balancer drops its idle connections sooner than `drainMs`.
 */
export const drainServer = async (
  server: FastifyInstance,
  serving: Serving,
  connections: ReadonlySet<Socket>,
  times: DrainTimes,
): Promise<void> => {
  serving.draining = true;
  await pause(times.drainMs);
  await quietMoment();
  // `http.Server.close` would end idle connections at once.
  NetServer.prototype.close.call(server.server);
  await until(() => connections.size === 0, times.idleGraceMs);
  await quietMoment();
  server.server.closeIdleConnections();
  // Node takes a connection that never brought a byte for a busy one.
  for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
  await until(() => connections.size === 0, times.inFlightMs);
  server.server.closeAllConnections();
  await server.close();
};
