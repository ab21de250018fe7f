import { isServerFailure, type Clock, type MetricsRegistry, type Principal, type Sql } from '@impact-hub/core';
import { otherNetwork } from './usage-batch.ts';
import { createBatchWriter } from './batch-writer.ts';
import type { AddressCount, Usage } from './usage-batch.ts';
import { registerUsageMetrics } from './usage-metrics.ts';

export type { Usage } from './usage-batch.ts';

type Owner = Pick<Usage, 'apiKeyId' | 'companyId' | 'secretId'>;

/** A request and its answer, as far as usage is concerned. */
type Asked = { headers: { 'user-agent'?: string | undefined } };
type Answered = { statusCode: number };

export type UsageRecorder = {
  /** A counter for one secret; `principal` is what `finished` will know it by. */
  track(owner: Owner, principal: Principal): Usage;
  /** An accepted call. */
  count(usage: Usage, atMs: number, ip: string): void;
  /** The answer to a request of a tracked principal has been sent; others are ignored. */
  finished(request: Asked, response: Answered, principal: Principal): void;
  /** Writes everything counted so far. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

/** Addresses told apart per key and interval; beyond, calls count for the network `other`. */
const maxAddresses = 1_000;

const addressOf = ({ addresses }: Usage, ip: string): AddressCount => {
  const subject = addresses.has(ip) || addresses.size < maxAddresses ? ip : otherNetwork;
  const found = addresses.get(subject);
  if (found !== undefined) return found;
  const added = { calls: 0 };
  addresses.set(subject, added);
  return added;
};

const newUsage = (owner: Owner): Usage => ({
  ...owner,
  isDirty: false,
  calls: 0,
  answers: 0,
  clientErrors: 0,
  serverErrors: 0,
  rateLimited: 0,
  lastUsedAtMs: 0,
  lastUsedIp: '',
  lastUserAgent: undefined,
  address: undefined,
  addresses: new Map(),
});

const countCall = (usage: Usage, atMs: number, ip: string): void => {
  usage.calls += 1;
  usage.lastUsedAtMs = atMs;
  if (usage.address === undefined || usage.lastUsedIp !== ip) {
    usage.lastUsedIp = ip;
    usage.address = addressOf(usage, ip);
  }
  usage.address.calls += 1;
};

const countAnswer = (usage: Usage, request: Asked, status: number): void => {
  usage.answers += 1;
  usage.lastUserAgent = request.headers['user-agent'];
  if (status < 400) return;
  if (isServerFailure(request, status)) usage.serverErrors += 1;
  else usage.clientErrors += 1;
  if (status === 429) usage.rateLimited += 1;
};

/**
 * Counts in memory and writes once per interval. A process that is killed loses what it counted since its last flush;
 * one that is stopped loses nothing.
 */
export const createUsageRecorder = (options: {
  sql: Sql;
  clock: Clock;
  metrics: MetricsRegistry;
  flushIntervalMs: number;
  onError(error: unknown): void;
}): UsageRecorder => {
  const writer = createBatchWriter(options);
  const byPrincipal = new WeakMap<Principal, Usage>();
  let dirty: Usage[] = [];
  let dirtySinceMs = 0;
  let flushing: Promise<void> = Promise.resolve();

  const take = (): Usage[] => {
    const taken = dirty;
    dirty = [];
    return taken;
  };
  const flush = (): Promise<void> => (flushing = flushing.then(() => writer.write(take)));
  const timer = setInterval(() => void flush(), options.flushIntervalMs);
  timer.unref();
  const touch = (usage: Usage): void => {
    if (usage.isDirty) return;
    usage.isDirty = true;
    if (dirty.length === 0) dirtySinceMs = performance.now();
    dirty.push(usage);
  };
  registerUsageMetrics(options.metrics, {
    keysWaiting: () => dirty.length + (writer.pending()?.keys.length ?? 0),
    oldestMs: () => {
      const pending = writer.pending();
      if (pending !== undefined) return options.clock.nowMs() - pending.atMs;
      return dirty.length === 0 ? 0 : performance.now() - dirtySinceMs;
    },
  });

  return {
    track: (owner, principal) => {
      const usage = newUsage(owner);
      byPrincipal.set(principal, usage);
      return usage;
    },
    count: (usage, atMs, ip) => {
      touch(usage);
      countCall(usage, atMs, ip);
    },
    finished: (request, response, principal) => {
      const usage = byPrincipal.get(principal);
      if (usage === undefined) return;
      touch(usage);
      countAnswer(usage, request, response.statusCode);
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
