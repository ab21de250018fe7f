import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createCountedHistogram, type Observe } from './counted-histogram.ts';
import { readInTime } from './read-in-time.ts';

export type MetricsRegistry = Registry;

/** A registry with the process's own figures (CPU, memory, event-loop lag, file descriptors). */
export const createMetrics = (): Registry => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
};

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

export type HttpMetrics = { observe(method: string, route: string, status: number, durationMs: number): void };

export const createHttpMetrics = (registry: Registry): HttpMetrics => {
  const seriesOf = createCountedHistogram<'method' | 'route' | 'status'>({
    name: 'http_request_duration_seconds',
    help: 'Duration of HTTP requests by route and status.',
    buckets: requestSeconds,
    registry,
  });
  // One map for each part: a key made of all three would have to be built and hashed for every request.
  const byRoute = new Map<string, Map<string, Map<number, Observe>>>();
  const add = (method: string, route: string, status: number): Observe => {
    const byMethod = byRoute.get(route) ?? new Map<string, Map<number, Observe>>();
    const byStatus = byMethod.get(method) ?? new Map<number, Observe>();
    const observe = seriesOf({ method, route, status: String(status) });
    byRoute.set(route, byMethod.set(method, byStatus.set(status, observe)));
    return observe;
  };
  return {
    observe: (method, route, status, durationMs) => {
      const observe = byRoute.get(route)?.get(method)?.get(status) ?? add(method, route, status);
      observe(durationMs / 1_000);
    },
  };
};

export type JobMetrics = { observe(job: string, outcome: string, durationMs: number): void };

export const createJobMetrics = (registry: Registry): JobMetrics => {
  const runs = new Counter({
    name: 'jobs_total',
    help: 'Runs of background jobs by outcome.',
    labelNames: ['job', 'outcome'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'job_duration_seconds',
    help: 'Duration of background jobs.',
    labelNames: ['job'],
    buckets: [...requestSeconds, 10, 60],
    registers: [registry],
  });
  return {
    observe: (job, outcome, durationMs) => {
      runs.inc({ job, outcome });
      duration.observe({ job }, durationMs / 1_000);
    },
  };
};

const backlogReadTimeoutMs = 1_000;

type Backlog = readonly { state: string; count: number; oldestDueSeconds: number }[];

/**
 * Jobs by state and the age of the oldest one that is due, read from Postgres at scrape time. When Postgres does not
 * answer in time the two figures are left out, so that all others are still there just when they are needed.
 */
export const registerJobBacklog = (registry: Registry, read: () => Promise<Backlog>): void => {
  // Both figures of one scrape come from one read.
  let reading: Promise<Backlog | null> | undefined;
  const backlog = (): Promise<Backlog | null> =>
    (reading ??= readInTime(read(), backlogReadTimeoutMs).finally(() => (reading = undefined)));
  new Gauge({
    name: 'jobs_oldest_due_seconds',
    help: 'Age of the oldest job that is due and unfinished; NaN when the database does not answer.',
    registers: [registry],
    async collect() {
      const live = (await backlog())?.filter((row) => row.state !== 'dead');
      this.set(live === undefined ? Number.NaN : Math.max(0, ...live.map((row) => row.oldestDueSeconds)));
    },
  });
  new Gauge({
    name: 'jobs_backlog',
    help: 'Unfinished jobs by state.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset();
      for (const row of (await backlog()) ?? []) this.set({ state: row.state }, row.count);
    },
  });
};
