import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectSql } from '@impact-hub/core';
import { startEmbeddedPostgres, startEmbeddedRedis } from '@impact-hub/embedded-stores';
import { runHubCommand } from '../../tests/support/hub-process.ts';

export type Credentials = {
  companyId: string;
  apiKey: string;
  endpoints: { partner: string; endpointId: string; scheme: string; secret?: string }[];
};

export type BenchStores = {
  ownerUrl: string;
  postgresPid: number;
  redisPid: number;
  redisUrl: string;
  /** What a hub process needs to use these stores. */
  settings: Record<string, string>;
  credentials: Credentials;
  stop(): Promise<void>;
};

/** Starts PostgreSQL (fsync on, as delivered) and Redis in a temporary directory, with the first company set up. */
export const startBenchStores = async (): Promise<BenchStores> => {
  const dataDir = await mkdtemp(join(tmpdir(), 'hub-bench-'));
  const [postgres, redis] = await Promise.all([
    startEmbeddedPostgres({ dataDir: join(dataDir, 'postgres') }),
    startEmbeddedRedis({ dataDir: join(dataDir, 'redis') }),
  ]);
  const admin = connectSql(postgres.adminUrl, { maxConnections: 1, applicationName: 'bench' });
  await admin.unsafe('create database hub');
  await admin.end();
  const ownerUrl = Object.assign(new URL(postgres.adminUrl), { pathname: '/hub' }).href;
  const settings = {
    DATABASE_URL: ownerUrl,
    REDIS_URL: redis.url,
    HUB_DATA_DIR: dataDir,
    HUB_LOG_LEVEL: 'warn',
  };
  const setup = await runHubCommand(['setup'], settings);
  if (setup.code !== 0) throw new Error(`the setup ended with ${setup.code}: ${setup.stderr}`);
  return {
    ownerUrl,
    postgresPid: postgres.pid,
    redisPid: redis.pid,
    redisUrl: redis.url,
    settings,
    credentials: JSON.parse(await readFile(join(dataDir, 'credentials.json'), 'utf8')) as Credentials,
    stop: async () => {
      await Promise.all([postgres.stop('immediate'), redis.stop()]);
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
};
