import type { Logger } from '@impact-hub/core';
import type { Redis } from 'ioredis';
import type { LimitMetrics } from './limit-metrics.ts';

const processesKey = 'hub:limit:processes';
const beatIntervalMs = 5_000;
const probeIntervalMs = 250;
/** A process that missed two beats no longer counts. */
const forgottenAfterSeconds = 12;
/** A Redis that lost its data hears of all processes again within one beat; until then the older count stands. */
const countsRemembered = 3;

const countProcessesLua = `
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZREMRANGEBYSCORE', KEYS[1], now + tonumber(ARGV[2]), '+inf')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
`;

type Scripts = Redis & { hubCountProcesses(key: string, id: string, seconds: number): Promise<number> };

/** The time limit passes in this many steps, so that one long pause of this very process uses up one of them only. */
const timeoutSteps = 4;

/**
 * Rejects when `work` has not answered in time. The last look at the sockets comes after the last timer: a process that
 * was busy itself must not blame Redis.
 */
const inTime = <T>(work: Promise<T>, timeoutMs: number): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = () => reject(new Error(`Redis did not answer within ${timeoutMs} ms`));
    let steps = 0;
    const step = (): void => {
      steps += 1;
      if (steps > timeoutSteps) setImmediate(late);
      else timer = setTimeout(step, timeoutMs / timeoutSteps);
    };
    let timer: NodeJS.Timeout | undefined;
    step();
    work.finally(() => clearTimeout(timer)).then(resolve, reject);
  });

type Options = { redis: Redis; processId: string; timeoutMs: number; log: Logger; metrics: LimitMetrics };

/**
 * Redis as something that may be away. After one failure nobody asks any more (`isAway`), until a probe in the
 * background is answered. The same message, every few seconds, counts the processes that share the limits.
 */
export const createSharedRedis = ({ redis, processId, timeoutMs, log, metrics }: Options) => {
  redis.defineCommand('hubCountProcesses', { numberOfKeys: 1, lua: countProcessesLua });
  const scripts = redis as Scripts;
  let isAway = false;
  let counts: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  metrics.degraded.set(0);
  metrics.processes.set(1);

  const failed = (err: unknown): void => {
    if (isAway || stopped) return;
    isAway = true;
    metrics.degraded.set(1);
    log.warn({ event: 'rate_limit.degraded', err }, 'Redis does not answer; every process limits by itself');
    clearTimeout(timer);
    timer = setTimeout(() => void beat(), probeIntervalMs).unref();
  };
  const answered = (): void => {
    if (!isAway) return;
    isAway = false;
    metrics.degraded.set(0);
    log.info({ event: 'rate_limit.recovered' }, 'Redis answers again; limits are shared');
  };
  const beat = async (): Promise<void> => {
    try {
      const count = await inTime(scripts.hubCountProcesses(processesKey, processId, forgottenAfterSeconds), timeoutMs);
      counts = [count, ...counts].slice(0, countsRemembered);
      metrics.processes.set(Math.max(...counts));
      answered();
    } catch (error) {
      failed(error);
    }
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void beat(), isAway ? probeIntervalMs : beatIntervalMs).unref();
  };

  return {
    /** Whether this process has to decide by itself. */
    isAway: (): boolean => isAway,
    /** How many processes share the limits, this one included; at least 1. */
    processes: (): number => Math.max(1, ...counts),
    /** Starts counting this process among them; at its first request, so that idle ones take no share. */
    start: (): void => {
      if (timer === undefined && !stopped) void beat();
    },
    /** @throws when Redis fails or is late; from then on it counts as away */
    ask: async <T>(send: (client: Redis) => Promise<T>): Promise<T> => {
      const startedAtMs = performance.now();
      try {
        const answer = await inTime(send(redis), timeoutMs);
        metrics.redisSeconds.observe((performance.now() - startedAtMs) / 1_000);
        return answer;
      } catch (error) {
        failed(error);
        throw error;
      }
    },
    stop: async (): Promise<void> => {
      stopped = true;
      clearTimeout(timer);
      if (timer !== undefined && !isAway) await inTime(redis.zrem(processesKey, processId), timeoutMs).catch(() => 0);
    },
  };
};

export type SharedRedis = ReturnType<typeof createSharedRedis>;
