import { join } from 'node:path';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Logger } from '@impact-hub/core';
import {
  acquireDataDirLock,
  openEmbeddedClickHouse,
  startEmbeddedPostgres,
  startEmbeddedRedis,
} from '@impact-hub/embedded-stores';
import { hasEmbeddedPostgres, type Settings } from '../config/settings.ts';
import { keepRunning } from './keep-running.ts';

export type Stores = {
  /** Owner of the hub's database; undefined when only the two role logins are given, and nothing can be migrated. */
  ownerUrl: string | undefined;
  redisUrl: string;
  /** Opened on first use: the in-process engine takes memory that a plain gateway never needs. */
  warehouse(): Promise<ClickHouseClient>;
  /** Whether a warehouse is configured or already open, so that looking at it costs nothing. */
  usesWarehouse(): boolean;
  stop(): Promise<void>;
};

type Stop = () => Promise<void>;
export type Progress = (line: string) => void;

const embeddedDatabase = 'hub';

const openPostgres = async (
  settings: Settings,
  log: Logger,
  onProgress: Progress,
  stops: Stop[],
): Promise<string | undefined> => {
  if (!hasEmbeddedPostgres(settings)) return settings.DATABASE_URL;
  onProgress('starting PostgreSQL');
  const dataDir = join(settings.HUB_DATA_DIR, 'postgres');
  const start = (first?: { port: number }) =>
    startEmbeddedPostgres({ dataDir, onProgress, ...(first === undefined ? {} : { port: first.port }) });
  const running = await keepRunning(start, (err) =>
    log.error({ event: 'store.restarted', store: 'postgres', err }, 'PostgreSQL ended; starting it again'),
  );
  stops.push(running.stop);
  const url = new URL(running.first.adminUrl);
  url.pathname = `/${embeddedDatabase}`;
  return url.href;
};

const openRedis = async (settings: Settings, log: Logger, onProgress: Progress, stops: Stop[]): Promise<string> => {
  if (settings.REDIS_URL !== undefined) return settings.REDIS_URL;
  onProgress('starting Redis');
  const dataDir = join(settings.HUB_DATA_DIR, 'redis');
  const start = (first?: { port: number }) =>
    startEmbeddedRedis({
      dataDir,
      persistence: true,
      onProgress,
      ...(first === undefined ? {} : { port: first.port }),
    });
  const running = await keepRunning(start, (err) =>
    log.error({ event: 'store.restarted', store: 'redis', err }, 'Redis ended; starting it again'),
  );
  stops.push(running.stop);
  return running.first.url;
};

const warehouseOpener = (settings: Settings, stops: Stop[]): Pick<Stores, 'warehouse' | 'usesWarehouse'> => {
  const open = async (): Promise<ClickHouseClient> => {
    if (settings.CLICKHOUSE_URL !== undefined) {
      const { ClickHouseLogLevel, createClient } = await import('@clickhouse/client');
      // Its own log writes lines of another shape; what fails is reported by whoever asked.
      const client = createClient({ url: settings.CLICKHOUSE_URL, log: { level: ClickHouseLogLevel.OFF } });
      stops.push(() => client.close());
      return client;
    }
    const engine = await openEmbeddedClickHouse({ dataDir: join(settings.HUB_DATA_DIR, 'clickhouse') });
    stops.push(engine.close);
    return engine.client;
  };
  let opened: Promise<ClickHouseClient> | undefined;
  return {
    usesWarehouse: () => settings.CLICKHOUSE_URL !== undefined || opened !== undefined,
    warehouse: () =>
      (opened ??= open().catch((error: unknown) => {
        opened = undefined;
        throw error;
      })),
  };
};

/**
 * Opens the stores the settings name and starts those they do not. What was started is stopped in reverse order.
 * @throws EmbeddedStoreError with one plain sentence
 */
export const openStores = async (settings: Settings, log: Logger, onProgress: Progress): Promise<Stores> => {
  const stops: Stop[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed())
      await each().catch((err: unknown) =>
        log.error({ event: 'store.stop_failed', err }, 'a store did not stop cleanly'),
      );
  };
  try {
    if (hasEmbeddedPostgres(settings) || settings.REDIS_URL === undefined) {
      const lock = await acquireDataDirLock(settings.HUB_DATA_DIR);
      stops.push(async () => lock.release());
    }
    const opening = [
      openPostgres(settings, log, onProgress, stops),
      openRedis(settings, log, onProgress, stops),
    ] as const;
    // When one fails, the other is on its way and has to be stopped as well.
    await Promise.allSettled(opening);
    const [ownerUrl, redisUrl] = await Promise.all(opening);
    return { ownerUrl, redisUrl, ...warehouseOpener(settings, stops), stop };
  } catch (error) {
    await stop();
    throw error;
  }
};
