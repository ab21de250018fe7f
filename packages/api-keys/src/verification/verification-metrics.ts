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
  let accepted = 0;
  const outcomes = new Counter({
    name: 'api_keys_usage_total',
    help: 'Presented API keys by outcome.',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.inc({ outcome: 'ok' }, accepted);
      accepted = 0;
    },
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
  return {
    outcome: (outcome) => {
      // On the hot path, where even a bound child of the counter costs as much as half the hash of a key.
      if (outcome === 'ok') accepted += 1;
      else outcomes.inc({ outcome });
    },
    read: () => reads.inc(),
  };
};
