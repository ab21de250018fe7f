import { createHash } from 'node:crypto';
import {
  buildOpenApi,
  listProblems,
  readPastChanges,
  type BoundModule,
  type ChangeFeed,
  type Clock,
  type Database,
  type MetricsRegistry,
} from '@impact-hub/core';
import { createResponseCache } from '@impact-hub/gateway';
import type { Redis } from 'ioredis';
import { version } from './version.ts';

type Options = {
  db: Database;
  changes: ChangeFeed;
  redis: Redis;
  secret: string;
  clock: Clock;
  metrics: MetricsRegistry;
  maxEntries: number;
  publicUrl: string;
  modules(): readonly BoundModule[];
  onError(error: unknown): void;
};

/** The response cache of the hub. An answer in Redis is for processes that describe the same API, and no others. */
export const openResponseCache = ({ db, publicUrl, modules, ...options }: Options) => {
  let generation: string | undefined;
  const describe = (): string =>
    createHash('sha256')
      .update(JSON.stringify([buildOpenApi(modules(), { version, serverUrl: publicUrl }), listProblems()]))
      .digest('base64url');
  return createResponseCache({
    ...options,
    pastChanges: (topics) => readPastChanges(db.systemSql, topics),
    // On the first use: building it takes as long as answering with it.
    generation: () => (generation ??= describe()),
  });
};
