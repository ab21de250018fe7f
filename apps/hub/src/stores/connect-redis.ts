import type { Logger } from '@impact-hub/core';
import { Redis } from 'ioredis';

const maxReconnectDelayMs = 1_000;
/** Bounds what a Redis that hangs can hold up: a pass of the relay, a readiness check, the end of the process. */
const commandTimeoutMs = 2_000;
const retryStrategy = (attempts: number): number => Math.min(50 * 2 ** attempts, maxReconnectDelayMs);

/** For commands: fails at once when Redis is away, because nothing may wait for what is only a fast path. */
export const connectRedis = (url: string, log: Logger): Redis => {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: commandTimeoutMs,
    retryStrategy,
  });
  let reported = false;
  redis.on('error', (err) => {
    if (!reported) log.warn({ event: 'redis.unavailable', err }, 'Redis does not answer; work waits in PostgreSQL');
    reported = true;
  });
  redis.on('ready', () => {
    if (reported) log.info({ event: 'redis.available' }, 'Redis answers again');
    reported = false;
  });
  return redis;
};

/** For BullMQ workers: blocking reads that wait through an outage, as BullMQ demands. */
export const connectBlockingRedis = (url: string): Redis => {
  const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy });
  redis.on('error', () => undefined);
  return redis;
};
