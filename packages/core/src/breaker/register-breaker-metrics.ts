import { Counter, Gauge } from 'prom-client';
import type { MetricsRegistry } from '../telemetry/metrics.ts';
import type { Breaker } from './create-breaker.ts';

const stateNumbers = { closed: 0, half_open: 1, open: 2 } as const;

/** Figures are read when scraped, so that a call costs one addition. */
export const registerBreakerMetrics = (registry: MetricsRegistry, known: ReadonlyMap<string, Breaker>): void => {
  new Gauge({
    name: 'circuit_breaker_state',
    help: 'State of each circuit as this process sees it: 0 closed, 1 half-open, 2 open.',
    labelNames: ['name'],
    registers: [registry],
    collect() {
      this.reset();
      for (const breaker of known.values()) this.set({ name: breaker.name }, stateNumbers[breaker.view().state]);
    },
  });
  new Counter({
    name: 'circuit_breaker_calls_total',
    help: 'Calls of each dependency by outcome: success, failure, refused, cancel.',
    labelNames: ['name', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, view } of known.values())
        for (const [outcome, total] of Object.entries(view().totals)) this.inc({ name, outcome }, total);
    },
  });
  new Counter({
    name: 'circuit_breaker_transitions_total',
    help: 'Transitions of each circuit by the state entered.',
    labelNames: ['name', 'to'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { name, view } of known.values())
        for (const [to, total] of Object.entries(view().transitions)) this.inc({ name, to }, total);
    },
  });
};
