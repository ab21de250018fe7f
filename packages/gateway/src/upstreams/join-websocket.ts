import { pipeline, type Duplex } from 'node:stream';
import { crossSiteRequest, originOfRequest } from '@impact-hub/accounts';
import { coreProblems, type StreamCall } from '@impact-hub/core';
import { clientResponseHeaders } from './response-headers.ts';
import { environmentNotAllowed } from '../create-access-policy.ts';
import type { Upstream } from './upstream.ts';

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

/** Joins the two connections; what flows is not looked into. Either end takes the other with it. */
export const joinWebSocket = (
  upstream: Upstream,
  { request, response }: StreamCall,
  headers: Parameters<typeof clientResponseHeaders>[0],
  other: Duplex,
): void => {
  const { socket } = request.raw;
  response.hijack();
  response.raw.statusCode = 101;
  socket.setTimeout(0);
  const { connection: _connection, ...own } = response.getHeaders();
  socket.write(headOf(clientResponseHeaders(headers, own, upstream.headerRules)), 'latin1');
  pipeline(socket, other, socket, () => {
    other.destroy();
    socket.destroy();
  });
};
