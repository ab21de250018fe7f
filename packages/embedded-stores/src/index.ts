export { EmbeddedStoreError } from './embedded-store-error.ts';
export { acquireDataDirLock, type DataDirLock } from './data-dir-lock.ts';
export {
  startEmbeddedPostgres,
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
} from './postgres/start-embedded-postgres.ts';
export { startEmbeddedRedis, type EmbeddedRedis, type EmbeddedRedisOptions } from './redis/start-embedded-redis.ts';
export { requireRedisBinary, type RedisBinary } from './redis/redis-binary.ts';
export { openEmbeddedClickHouse, type EmbeddedClickHouse } from './open-embedded-clickhouse.ts';
export type { ProcessExit } from './process-end.ts';
