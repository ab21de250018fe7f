import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { newId } from '../ids.ts';
import { headersTooLarge, requestMalformed, requestTimeout } from '../problem/core-problems.ts';
import { problemBody, problemMediaType } from './render-problem.ts';

const problemOf = (code: string | undefined) => {
  if (code === 'HPE_HEADER_OVERFLOW') return headersTooLarge();
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return requestTimeout();
  return requestMalformed();
};

/** What a client that reads nothing gets to close its side, in milliseconds. */
const lingerMs = 1_000;

const answeredEarly = Symbol('hub.answeredEarly');
type Connection = Socket & { [answeredEarly]?: IncomingMessage };

/** Notes a request that has its answer although its body is still to come: whatever becomes of it, there is no other. */
export const noteEarlyAnswer = (request: IncomingMessage): void => {
  if (!request.complete) (request.socket as Connection)[answeredEarly] = request;
};

/** Answers bytes that Node's HTTP parser refuses with a problem like any other, and closes the connection. */
export const answerUnparsable = (error: Error & { code?: string }, socket: Connection): void => {
  const isAnswered = socket[answeredEarly]?.complete === false;
  if (!socket.writable || isAnswered || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = problemOf(error.code);
  const id = newId();
  const { instance: _unknown, ...body } = problemBody(problem, { id, path: '' });
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${problem.definition.status} ${problem.definition.title}\r\n` +
      `content-type: ${problemMediaType}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n` +
      `x-request-id: ${id}\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n${text}`,
  );
  setTimeout(() => socket.destroy(), lingerMs).unref();
};
