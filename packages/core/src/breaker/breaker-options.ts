import { z } from 'zod';

/** When a circuit opens, how long it stays open, and what closes it; all of it may be set per dependency. */
export const breakerOptionsSchema = z.strictObject({
  /** Failures within the window that open the circuit. */
  failureThreshold: z.int().min(1).max(1_000).default(5),
  /** Milliseconds that failures are remembered. */
  failureWindowMs: z.int().min(100).max(600_000).default(10_000),
  /**
   * Besides the threshold, the share of the window's calls that must have failed, 0 to 1. For busy dependencies, where
   * a handful of failures says nothing.
   */
  minFailureShare: z.number().min(0).max(1).default(0),
  /** Successful probes in a row that close the circuit again. */
  successThreshold: z.int().min(1).max(100).default(2),
  /** Milliseconds before an open circuit lets a probe through. */
  openMs: z.int().min(10).max(3_600_000).default(60_000),
  /** Probes under way at once in one process. */
  maxProbes: z.int().min(1).max(100).default(1),
  /** Milliseconds after which a probe that never reported is given up. */
  probeTimeoutMs: z.int().min(100).max(600_000).default(30_000),
});

export type BreakerOptions = z.output<typeof breakerOptionsSchema>;

/** The defaults with what is given in their place. */
export const breakerOptions = (given: Partial<BreakerOptions> = {}): BreakerOptions =>
  breakerOptionsSchema.parse(given);
