import { connect } from 'node:net';

/** A key presented to one process again and again, on one connection. */
export type Presenter = {
  accepted: number;
  refused: number;
  /** When the last request that was accepted was sent, of `performance.now()`. */
  lastAcceptedSentAtMs: number;
  stop(): void;
};

const headerEnd = '\r\n\r\n';

/** The status of the first complete answer in `text` and its length, or undefined when it is not complete. */
const readAnswer = (text: string): { status: number; length: number } | undefined => {
  const end = text.indexOf(headerEnd);
  if (end < 0) return undefined;
  const length = end + headerEnd.length + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  return text.length < length ? undefined : { status: Number(text.slice(9, 12)), length };
};

/**
 * Presents the key until stopped, the next time when the answer has been there for `pauseMs`. Any answer but 401 and 429 is an acceptance: the key has been found
 * good, whatever the route says then.
 * @param from the address the hub is to see, which has to trust this one as its proxy
 */
export const presentKey = (port: number, path: string, key: string, from: string, pauseMs = 0): Presenter => {
  const request = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: ${key}\r\nX-Forwarded-For: ${from}\r\n\r\n`;
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let sentAtMs = 0;
  let text = '';
  const send = (): void => {
    if (socket.destroyed) return;
    sentAtMs = performance.now();
    socket.write(request, 'latin1');
  };
  const presenter: Presenter = {
    accepted: 0,
    refused: 0,
    lastAcceptedSentAtMs: -Infinity,
    stop: () => void socket.destroy(),
  };
  socket.on('connect', send);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    const answer = readAnswer(text);
    if (answer === undefined) return;
    text = text.slice(answer.length);
    if (answer.status === 401 || answer.status === 429) presenter.refused += 1;
    else {
      presenter.accepted += 1;
      presenter.lastAcceptedSentAtMs = sentAtMs;
    }
    if (pauseMs === 0) send();
    else setTimeout(send, pauseMs);
  });
  return presenter;
};
