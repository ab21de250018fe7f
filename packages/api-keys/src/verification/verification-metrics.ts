import type { MetricsRegistry } from '@impact-hub/core';
import { Counter, Gauge } from 'prom-client';

/** Why a key is refused; for logs and metrics only, callers always see the same answer. */
export type RefusalReason =
  | 'malformed'
  | 'bad_checksum'
  | 'unknown'
  | 'wrong_secret'
  | 'revoked'
  | 'disabled'
  | 'expired'
  | 'ip_not_allowed'
  | 'too_many_misses';

export type VerificationMetrics = { outcome(outcome: 'ok' | RefusalReason): void; read(): void };

/** Counters of the verifier in the process's registry. */
export const createVerificationMetrics = (
  registry: MetricsRegistry,
  sizes: { cached(): number; knownIds(): number },
): VerificationMetrics => {
  const outcomes = new Counter({
    name: 'api_keys_usage_total',
    help: 'Presented API keys by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const reads = new Counter({
    name: 'api_keys_reads_total',
    help: 'API key verifications that had to read the database.',
    registers: [registry],
  });
  new Gauge({
    name: 'api_keys_cached',
    help: 'API keys this process can verify without the database.',
    registers: [registry],
    collect() {
      this.set(sizes.cached());
    },
  });
  new Gauge({
    name: 'api_keys_known_ids',
    help: 'Key ids this process knows to exist; it reads them when somebody presents a key that does not.',
    registers: [registry],
    collect() {
      this.set(sizes.knownIds());
    },
  });
  const ok = outcomes.labels('ok');
  return {
    // The child is looked up once: this one is on the hot path.
    outcome: (outcome) => (outcome === 'ok' ? ok.inc() : outcomes.labels(outcome).inc()),
    read: () => reads.inc(),
  };
};
