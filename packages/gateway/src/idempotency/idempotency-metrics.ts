import type { MetricsRegistry } from '@impact-hub/core';
import { Counter } from 'prom-client';

/**
 * - `executed`: the change was made and its answer stored.
 * - `not_stored`: the handler refused for a reason that may pass, or failed; sent again, the request runs again.
 */
export type IdempotencyOutcome = 'executed' | 'not_stored' | 'replayed' | 'in_flight' | 'mismatch' | 'unreadable';

export type IdempotencyMetrics = { count(outcome: IdempotencyOutcome): void; addStoredBytes(bytes: number): void };

export const createIdempotencyMetrics = (registry: MetricsRegistry): IdempotencyMetrics => {
  const requests = new Counter({
    name: 'idempotency_requests_total',
    help: 'Requests with an Idempotency-Key by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const bytes = new Counter({
    name: 'idempotency_stored_bytes_total',
    help: 'Bytes of sealed answers written.',
    registers: [registry],
  });
  return {
    count: (outcome) => requests.inc({ outcome }),
    addStoredBytes: (count) => bytes.inc(count),
  };
};
