import type { Redis } from 'ioredis';

/**
 * The name of a pub/sub channel that only hubs on the same database of the Redis server share. Keys belong to one
 * database of a server, but messages reach all of them: without its number in the name, a hub would hear another
 * hub's news about a circuit of the same name, and open its own.
 * @param subject what the messages are about
 */
export const redisChannel = (redis: Pick<Redis, 'options'>, subject: string): string =>
  `hub:${redis.options.db ?? 0}:{${subject}}:news`;
