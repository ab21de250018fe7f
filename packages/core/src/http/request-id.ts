import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** A client's own request id is kept when it is harmless, so that both sides can find the same line. */
const acceptable = /^[\w.-]{8,64}$/;
/** Ids of tracing systems have 32 characters at most in one piece; what is longer may be a key or its secret. */
const likeASecret = /teei_|[0-9A-Za-z]{40}/i;

/** The id under which a request is logged and recorded: the client's, or a new one. */
export const requestIdOf = ({ headers }: IncomingMessage): string => {
  const given = headers['x-request-id'];
  // Drawn in batches by Node, and unlike the ids of rows in no need of an order.
  return typeof given === 'string' && acceptable.test(given) && !likeASecret.test(given) ? given : randomUUID();
};
