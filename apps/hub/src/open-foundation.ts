import { createHmac } from 'node:crypto';
import {
  createBreakers,
  createMetrics,
  createServing,
  startChangeFeed,
  systemClock,
  type Logger,
  type ShutdownPhase,
} from '@impact-hub/core';
import { createCrypto } from '@impact-hub/crypto';
import type { Settings } from './config/settings.ts';
import { openConnections } from './stores/open-connections.ts';
import type { Progress, Stores } from './stores/open-stores.ts';
import { prepareDatabase } from './stores/prepare-database.ts';
import { openRootKey } from './stores/root-key.ts';

export type ComposeOptions = {
  settings: Settings;
  publicUrl: string;
  stores: Stores;
  log: Logger;
  onProgress: Progress;
};

export type Foundation = Awaited<ReturnType<typeof openFoundation>>;

/** What every domain stands on. What is opened is added to `opened` at once, so that it ends although the rest fails. */
export const openFoundation = async (
  { settings, stores, log, onProgress }: ComposeOptions,
  opened: ShutdownPhase[],
) => {
  const clock = systemClock;
  const onError = (err: unknown): void => log.warn({ event: 'background.failed', err }, 'background work failed');
  const rootKey = await openRootKey(settings);
  const urls = await prepareDatabase(settings, stores.ownerUrl, rootKey, onProgress);
  const connections = openConnections(settings, urls, stores.redisUrl, log);
  opened.push({ name: 'connections', timeoutMs: 10_000, run: connections.close });
  const { db, redis } = connections;
  const metrics = createMetrics();
  const serving = createServing(
    {
      maxEventLoopDelayMs: settings.HUB_MAX_EVENT_LOOP_DELAY_MS,
      maxConcurrentRequests: settings.HUB_MAX_CONCURRENT_REQUESTS,
    },
    metrics,
  );
  opened.push({ name: 'serving', timeoutMs: 1_000, run: async () => serving.stop() });
  const changes = await startChangeFeed(db, { onError, redis, metrics });
  opened.push({ name: 'changes', timeoutMs: 3_000, run: changes.stop });
  const breakers = createBreakers({ redis, clock, metrics, log });
  opened.push({ name: 'breakers', timeoutMs: 1_000, run: async () => breakers.stop() });
  const crypto = createCrypto({ db: connections.cryptoDb, rootKey, clock });
  opened.push({ name: 'crypto', timeoutMs: 1_000, run: async () => crypto.close() });
  /** Secrets that only have to be the same in all processes are derived from the root key, one per purpose. */
  const derivedSecret = (purpose: string): string => createHmac('sha256', rootKey).update(purpose).digest('base64url');
  return { clock, onError, urls, connections, db, redis, metrics, serving, changes, breakers, crypto, derivedSecret };
};
