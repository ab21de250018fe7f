import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { Route } from '../module/define-route.ts';

const upgraded = new WeakSet<IncomingMessage>();

/** Whether the client's connection is free to become a WebSocket. */
export const isUpgraded = (raw: IncomingMessage): boolean => upgraded.has(raw);

/** Whether a request may leave HTTP; any other that asks for it is answered as if it had not. */
export const upgradesOf = (routes: readonly Route<unknown>[]): ((raw: IncomingMessage) => boolean) => {
  const prefixes = routes.filter(({ upgrades }) => upgrades === true).map(({ path }) => path.replace(/\*$/, ''));
  return ({ method, url = '', headers }) =>
    method === 'GET' &&
    headers.upgrade?.toLowerCase() === 'websocket' &&
    prefixes.some((prefix) => url.startsWith(prefix));
};

/**
 * Sends requests for a WebSocket the way of all others, so that access, limits, log and metrics hold for them, too: a
 * refusal is an ordinary answer. What has been opened ends with the server.
 */
export const acceptUpgrades = (server: FastifyInstance): void => {
  const open = new Set<Duplex>();
  server.server.on('upgrade', (raw: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgraded.add(raw);
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
    if (head.length > 0) socket.unshift(head);
    const response = new ServerResponse(raw);
    response.assignSocket(raw.socket);
    response.shouldKeepAlive = false;
    response.once('finish', () => {
      // As Node does for its own: the exchange is over, whenever the client closes.
      response.detachSocket(raw.socket);
      socket.end();
      response.emit('close');
    });
    socket.on('drain', () => response.emit('drain'));
    server.routing(raw, response);
  });
  server.addHook('preClose', (done) => {
    for (const socket of open) socket.destroy();
    done();
  });
};
