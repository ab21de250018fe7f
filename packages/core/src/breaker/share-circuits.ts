import type { Redis } from 'ioredis';
import { z } from 'zod';
import { newId } from '../ids.ts';
import { redisChannel } from '../redis-channel.ts';
import type { CircuitNews } from './circuit.ts';

/** Exists while the circuit is open; its lifetime is the time left. */
const openKey = (name: string): string => `hub:{breaker:${name}}:open`;

const durationMs = z.int().min(0).max(3_600_000);
const messageSchema = z.object({
  from: z.string(),
  /** `null`: every circuit. */
  name: z.string().min(1).max(200).nullable(),
  news: z.discriminatedUnion('state', [
    z.object({ state: z.literal('closed') }),
    z.object({ state: z.literal('forgotten') }),
    z.object({ state: z.literal('open'), remainingMs: durationMs }),
    z.object({ state: z.literal('half_open'), successes: z.int().min(0), probeMs: durationMs }),
  ]),
});

/** Of a circuit, or that there is none any more. */
type News = CircuitNews | { state: 'forgotten' };

type Hear = (name: string | null, news: News) => void;

export type SharedCircuits = {
  /** Tells all processes; returns at once and never fails. */
  tell(name: string | null, news: News): void;
  /** How long the circuit is still open according to the other processes, in ms; 0 when it is not, or nobody knows. */
  remainingMs(name: string): Promise<number>;
  /** Drops the stored state without telling anybody. */
  forget(name: string): void;
  stop(): void;
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Lets processes know of each other's circuits through Redis: a message for those that run, a key for those that start.
 * Without Redis every process decides alone; nothing waits for it.
 * @param onReady called whenever messages may have been missed
 */
export const shareCircuits = (redis: Redis, hear: Hear, onReady: () => void): SharedCircuits => {
  const self = newId();
  const channel = redisChannel(redis, 'breakers');
  const ignore = (): void => undefined;
  const subscriber = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: false });
  subscriber.on('error', ignore);
  subscriber.on('ready', () => void subscriber.subscribe(channel).then(onReady, ignore));
  subscriber.on('message', (_channel: string, text: string) => {
    const message = messageSchema.safeParse(parse(text));
    if (message.success && message.data.from !== self) hear(message.data.name, message.data.news);
  });
  const forget = (name: string): void => void redis.del(openKey(name)).catch(ignore);
  return {
    forget,
    tell(name, news) {
      if (name !== null && news.state === 'open' && news.remainingMs > 0)
        redis.set(openKey(name), '1', 'PX', Math.ceil(news.remainingMs)).catch(ignore);
      if (name !== null && (news.state === 'closed' || news.state === 'forgotten')) forget(name);
      redis.publish(channel, JSON.stringify({ from: self, name, news })).catch(ignore);
    },
    remainingMs: async (name) => Math.max(0, await redis.pttl(openKey(name)).catch(() => 0)),
    stop: () => subscriber.disconnect(),
  };
};
