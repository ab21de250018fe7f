import { defineProblem } from '@impact-hub/core';

/**
 * The one answer to every failed authentication. What was wrong, and whether the endpoint exists at all, is in the
 * receipts and metrics of the company, never here.
 */
export const notAuthentic = defineProblem({
  code: 'impact_in.not_authentic',
  status: 401,
  title: 'The request could not be authenticated',
  remedy: 'Check the address, the secret and the clock of the sender; the company sees the reason among its receipts.',
});
export const encodingRefused = defineProblem({
  code: 'impact_in.encoding_refused',
  status: 415,
  title: 'Encoded bodies are not accepted',
  remedy: 'Send the signed bytes as they are, without `Content-Encoding`.',
});
export const payloadTooLarge = defineProblem({
  code: 'impact_in.payload_too_large',
  status: 413,
  title: 'The payload is larger than the endpoint accepts',
  remedy: 'Send a smaller payload, or have the company raise the limit of the endpoint (1 MiB at most).',
});
export const inboxUnavailable = defineProblem({
  code: 'impact_in.inbox_unavailable',
  status: 503,
  title: 'The event could not be stored in time',
  remedy:
    'Send the same event again after the seconds given in `Retry-After`; if it was stored after all, it is recognised.',
});
export const endpointPaused = defineProblem({
  code: 'impact_in.endpoint_paused',
  status: 503,
  title: 'The endpoint is paused',
  remedy: 'Send the event again after the seconds given in `Retry-After`; the company has paused the endpoint.',
});
export const endpointNotFound = defineProblem({
  code: 'impact_in.endpoint_not_found',
  status: 404,
  title: 'There is no such endpoint',
  remedy: 'List the endpoints of your company and use one of their ids.',
});
export const tooManyEndpoints = defineProblem({
  code: 'impact_in.too_many_endpoints',
  status: 409,
  title: 'The company has as many endpoints as it can have',
  remedy: 'List the endpoints of your company and use one of them; a paused one can be resumed.',
});
export const deliveryNotFound = defineProblem({
  code: 'impact_in.delivery_not_found',
  status: 404,
  title: 'There is no such delivery',
  remedy:
    'List the deliveries of your company; a webhook that was only just received may still be waiting to be processed.',
});
export const receiptNotFound = defineProblem({
  code: 'impact_in.receipt_not_found',
  status: 404,
  title: 'There is no such receipt',
  remedy: 'List the receipts of your company and use one of their ids.',
});
export const connectionNotFound = defineProblem({
  code: 'impact_in.connection_not_found',
  status: 404,
  title: 'There is no such connection',
  remedy: 'List the connections of your company and use one of their ids, or create one.',
});
export const tooManyConnections = defineProblem({
  code: 'impact_in.too_many_connections',
  status: 409,
  title: 'The company has as many connections as it can have',
  remedy: 'List the connections of your company and use one of them, or delete one.',
});
export const transactionConflict = defineProblem({
  code: 'impact_in.transaction_conflict',
  status: 409,
  title: 'The transaction id has been used',
  remedy:
    'Look for the delivery with this id as its correlationId. For another event use another id; to have the same one sent again, replay its delivery.',
});
