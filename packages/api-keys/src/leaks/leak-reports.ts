import { limitKeyOfIp, type MetricsRegistry } from '@impact-hub/core';
import { Counter } from 'prom-client';
import { createMissLimiter } from '../verification/miss-limiter.ts';

/** What happens to a valid key that was found in public. */
export type LeakedKeyPolicy = 'revoke' | 'disable' | 'notify';

/** What a report came to: for metrics only. `repeated`: everything had been done already. */
export type LeakOutcome = 'not_ours' | 'revoked' | 'disabled' | 'old_secret_ended' | 'noted' | 'repeated';

/** What taking in reports needs, one per process. */
export type LeakReports = {
  policy: LeakedKeyPolicy;
  /** Seconds until this address may send reports again; 0 when it may now, which is counted. */
  secondsUntilAllowed(ip: string): number;
  count(outcome: LeakOutcome): void;
};

/** Ten requests at once and one every two seconds, of a hundred reports each: scanners send far less. */
const [burst, refillPerSecond] = [10, 0.5];

/** @param options.nowMs monotone */
export const createLeakReports = (options: {
  policy: LeakedKeyPolicy;
  metrics: MetricsRegistry;
  nowMs?: () => number;
}): LeakReports => {
  const { policy, metrics, nowMs = () => performance.now() } = options;
  const limiter = createMissLimiter({ burst, refillPerSecond, nowMs });
  const outcomes = new Counter({
    name: 'api_keys_leak_reports_total',
    help: 'Reports of keys found in public, by what they came to.',
    labelNames: ['outcome'],
    registers: [metrics],
  });
  return {
    policy,
    secondsUntilAllowed: (ip) => {
      const address = limitKeyOfIp(ip);
      const seconds = limiter.secondsUntilAllowed(address);
      if (seconds === 0) limiter.take(address);
      return seconds;
    },
    count: (outcome) => outcomes.inc({ outcome }),
  };
};
