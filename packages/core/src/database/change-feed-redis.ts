import type { Redis } from 'ioredis';
import { redisChannel } from '../redis-channel.ts';
import { parseChange } from './parse-change.ts';
import type { Change } from './transaction.ts';

export type ChangeMessages = {
  /** Tells the other processes; returns at once and never fails. Without Redis nobody hears it. */
  publish(change: Change): void;
  stop(): void;
};

/** Carries changes over Redis besides PostgreSQL: whoever holds only one of the two connections still hears at once. */
export const shareChanges = (redis: Redis, hear: (change: Change) => void): ChangeMessages => {
  const ignore = (): void => undefined;
  const channel = redisChannel(redis, 'changes');
  const subscriber = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: false });
  subscriber.on('error', ignore);
  subscriber.on('ready', () => void subscriber.subscribe(channel).catch(ignore));
  subscriber.on('message', (_channel: string, text: string) => {
    const change = parseChange(text);
    if (change !== undefined) hear(change);
  });
  return {
    publish: ({ topic, key }) => void redis.publish(channel, JSON.stringify([topic, key])).catch(ignore),
    stop: () => subscriber.disconnect(),
  };
};
