import { connectDatabase, connectSql, type Logger } from '@impact-hub/core';
import type { Settings } from '../config/settings.ts';
import { connectRedis } from './connect-redis.ts';
import type { DatabaseUrls } from './prepare-database.ts';

/** Two batches of receipts at once, the lookups of duplicates behind them, and what is refused. */
const ingestConnections = 6;

/**
 * Opens the pools and the Redis connection of a process. Data keys and receipts have pools of their own: a key is
 * loaded while a job holds a connection, and nothing may delay an acknowledgement.
 */
export const openConnections = (settings: Settings, urls: DatabaseUrls, redisUrl: string, log: Logger) => {
  const db = connectDatabase({ ...urls, maxConnections: settings.HUB_DATABASE_POOL_SIZE });
  const cryptoDb = connectDatabase({ ...urls, maxConnections: 2 });
  const ingestSql = connectSql(urls.systemUrl, {
    maxConnections: ingestConnections,
    applicationName: 'hub-ingest',
    statementTimeoutMs: 10_000,
  });
  const redis = connectRedis(redisUrl, log);
  return {
    db,
    cryptoDb,
    ingestSql,
    redis,
    close: async (): Promise<void> => {
      redis.disconnect();
      await Promise.all([ingestSql.end({ timeout: 5 }), cryptoDb.close(), db.close()]);
    },
  };
};
