import type { MetricsRegistry } from '@impact-hub/core';
import { Counter, Gauge } from 'prom-client';
import type { Upstream } from './upstream.ts';

/** Read when scraped; latencies are in `http_request_duration_seconds` by route. */
export const registerUpstreamMetrics = (registry: MetricsRegistry, upstreams: readonly Upstream[]): void => {
  new Counter({
    name: 'upstream_requests_total',
    help: 'Requests to each upstream: answered, failed, refused, aborted by the client; and attempts retried.',
    labelNames: ['upstream', 'outcome'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { settings, totals } of upstreams)
        for (const [outcome, total] of Object.entries(totals)) this.inc({ upstream: settings.name, outcome }, total);
    },
  });
  new Gauge({
    name: 'upstream_requests_in_flight',
    help: 'Requests under way to each upstream.',
    labelNames: ['upstream'],
    registers: [registry],
    collect() {
      for (const { settings, inFlight } of upstreams) this.set({ upstream: settings.name }, inFlight);
    },
  });
};
