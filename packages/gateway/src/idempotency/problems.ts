import { defineProblem } from '@impact-hub/core';

export const requestInFlight = defineProblem({
  code: 'idempotency.in_flight',
  status: 409,
  title: 'A request with this Idempotency-Key is being processed',
  remedy: 'Send the same request again after the seconds given in `Retry-After`; it then gets the stored answer.',
});

export const keyReused = defineProblem({
  code: 'idempotency.key_reused',
  status: 422,
  title: 'This Idempotency-Key belongs to another request',
  remedy: 'Use a new key for a new request; repeat a request with the same method, address, query and body.',
});

export const answerUnreadable = defineProblem({
  code: 'idempotency.answer_unreadable',
  status: 409,
  title: 'The change was made, but its answer cannot be shown again',
  remedy: 'Do not repeat the change: read what it made; its time is in `X-Original-Timestamp`.',
});
