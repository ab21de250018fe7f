import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** The client sent more than the upstream takes. */
export class BodyTooLargeError extends Error {
  override readonly name = 'BodyTooLargeError';
}

/** The client went away before the exchange was over. */
export class ClientGoneError extends Error {
  override readonly name = 'ClientGoneError';
}

export const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

/**
 * The request's body as a stream of its own, read no faster than it is taken. Its end or failure leaves the client's
 * connection alone, over which the answer still has to go.
 */
export const bodySource = (raw: IncomingMessage, maxBytes: number): Readable => {
  let seenBytes = 0;
  const body = new Readable({
    read: () => void raw.resume(),
    destroy: (error, done) => {
      raw.pause();
      done(error);
    },
  });
  const fail = (error: Error): void => void (body.destroyed || body.readableEnded || body.destroy(error));
  raw.on('data', (chunk: Buffer) => {
    seenBytes += chunk.length;
    if (seenBytes > maxBytes) fail(new BodyTooLargeError());
    else if (body.destroyed || !body.push(chunk)) raw.pause();
  });
  raw.on('end', () => void (body.destroyed || body.push(null)));
  raw.on('error', () => fail(new ClientGoneError()));
  raw.on('close', () => void (raw.readableEnded || fail(new ClientGoneError())));
  return body;
};
