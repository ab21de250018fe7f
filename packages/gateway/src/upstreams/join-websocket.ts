import { pipeline, type Duplex } from 'node:stream';
import { crossSiteRequest, originOfRequest } from '@impact-hub/accounts';
import { coreProblems, type StreamCall } from '@impact-hub/core';
import { clientResponseHeaders } from './response-headers.ts';
import { environmentNotAllowed } from '../create-access-policy.ts';
import type { Upstream } from './upstream.ts';
import type { CloseCode } from './watch-sockets.ts';

/**
 * What flows both ways reads and writes. And browsers open WebSockets for any page that asks, cookies included, with
 * nothing but the origin to tell whose page it is.
 * @throws ProblemError 403
 */
export const requireForWebSocket = ({ settings, publicUrl }: Upstream, { request, principal }: StreamCall): void => {
  const { write } = settings.scopes;
  if (principal.kind === 'api_key' && principal.environment !== 'live') throw environmentNotAllowed();
  if (!write.every((scope) => principal.scopes.has(scope)))
    throw coreProblems.forbidden({ detail: `A WebSocket needs the scopes: ${write.join(', ')}.` });
  if (principal.kind === 'person' && originOfRequest(request.headers, publicUrl) !== 'same') throw crossSiteRequest();
};

const headOf = (headers: readonly string[]): string => {
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', 'Upgrade: websocket'];
  for (let index = 0; index < headers.length; index += 2) lines.push(`${headers[index]}: ${headers[index + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
};

/** A client that does not read is not waited for. */
const closeWaitMs = 1_000;

/** An unmasked close frame of two bytes, as RFC 6455 §5.5.1 has a server send it. */
const closeFrame = (code: CloseCode): Buffer => Buffer.from([0x88, 2, code >> 8, code & 0xff]);

/** Nothing flows from here on; the client is told why, unless it is within a message. */
const closeWebSocket = (socket: Duplex, other: Duplex, code: CloseCode): void => {
  if (socket.writableEnded || socket.destroyed) return;
  socket.unpipe(other);
  other.unpipe(socket);
  // Bytes that nobody has read would have the connection reset, and the frame lost.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), closeWaitMs);
  socket.once('close', () => clearTimeout(timer));
  socket.end(closeFrame(code), () => other.destroy());
};

/** Joins the two connections; what flows is not looked into. Either end takes the other with it. */
export const joinWebSocket = (
  upstream: Upstream,
  call: StreamCall,
  headers: Parameters<typeof clientResponseHeaders>[0],
  other: Duplex,
): void => {
  const { request, response } = call;
  const { socket } = request.raw;
  response.hijack();
  response.raw.statusCode = 101;
  socket.setTimeout(0);
  // HTTP, the join and the watch listen side by side, a dozen and no more.
  socket.setMaxListeners(24);
  const { connection: _connection, ...own } = response.getHeaders();
  socket.write(headOf(clientResponseHeaders(headers, own, upstream.headerRules)), 'latin1');
  pipeline(socket, other, socket, () => {
    other.destroy();
    socket.destroy();
  });
  upstream.watchSocket(call, upstream.settings.scopes, (code) => closeWebSocket(socket, other, code));
};
