import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { acquireDataDirLock, releaseAfter } from '../data-dir-lock.ts';
import { EmbeddedStoreError } from '../embedded-store-error.ts';
import { lastLogLines, prepareLog } from '../log-file.ts';
import {
  choosePort,
  isChosenByPerson,
  loopbackHost,
  portTaken,
  rememberPort,
  type PortRequest,
} from '../loopback-port.ts';
import { type OwnProcess, startOwnProcess } from '../own-process.ts';
import type { ProcessExit } from '../process-end.ts';
import { redisAnswers } from './ask-redis.ts';
import { endOrphanedRedis, redisStop } from './orphaned-redis.ts';
import { requireRedisBinary } from './redis-binary.ts';
import { renderRedisConfig, type RedisConfig } from './redis-config.ts';

/** What may be chosen about the embedded Redis. */
export type EmbeddedRedisOptions = {
  /** Holds the configuration with the password, the port, the log and the append-only file; created when missing. */
  readonly dataDir: string;
  /** 0 or absent: the port of the last start when it is still free, else any free one. */
  readonly port?: number;
  /** The setting that `port` came from, for the message when it is taken. */
  readonly portSetting?: string;
  readonly onProgress?: (line: string) => void;
  /** Whether the contents survive a restart (append-only file, written at least every second). Default true. */
  readonly persistence?: boolean;
  /** How many logical databases it has, numbered from 0. Default 16, as Redis itself. */
  readonly databases?: number;
};

/** A running Redis or Valkey server that belongs to this process. */
export type EmbeddedRedis = {
  /** With the password. A restart on the same directory keeps the address as long as its port stays free. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<ProcessExit>;
  /** Ends it in order. May be called more than once. */
  stop(): Promise<void>;
};

const maxPortAttempts = 5;
const readyTimeoutMs = 60_000;
const pollMs = 10;

const waitUntilReady = async (server: OwnProcess, { port, password }: RedisConfig): Promise<boolean> => {
  let hasEnded = false;
  void server.exited.then(() => (hasEnded = true));
  const deadline = performance.now() + readyTimeoutMs;
  while (performance.now() < deadline) {
    if (await redisAnswers(port, password)) return true;
    if (hasEnded) return false;
    await sleep(pollMs);
  }
  return false;
};

const configPathIn = (dataDir: string): string => {
  return join(dataDir, 'redis.conf');
};

const launch = async (program: string, config: RedisConfig): Promise<OwnProcess | 'port-taken'> => {
  const configPath = configPathIn(config.dataDir);
  await rm(configPath, { force: true });
  await writeFile(configPath, renderRedisConfig(config), { mode: 0o600, flag: 'wx' });
  const log = await prepareLog(join(config.dataDir, 'redis.log'));
  const server = await startOwnProcess([program, configPath], log.path, { cwd: config.dataDir });
  if (await waitUntilReady(server, config)) return server;
  await server.end(redisStop);
  const lines = await lastLogLines(log);
  if (lines.includes('Address already in use')) return 'port-taken';
  throw new EmbeddedStoreError(
    `The embedded Redis in ${config.dataDir} did not start; correct what its log says, or set REDIS_URL:\n${lines}`,
  );
};

/**
 * Between choosing a port and the server's taking it, another program may: then another one is picked, unless a person
 * chose it.
 */
const startOnFreePort = async (
  program: string,
  options: EmbeddedRedisOptions,
  password: string,
): Promise<{ server: OwnProcess; port: number }> => {
  const { dataDir, persistence = true, databases = 16 } = options;
  const request: PortRequest = {
    store: 'Redis',
    dataDir,
    port: options.port,
    setting: options.portSetting ?? 'HUB_REDIS_PORT',
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await choosePort(request);
    await rememberPort(dataDir, port);
    const server = await launch(program, { dataDir, port, password, persistence, databases });
    if (server !== 'port-taken') return { server, port };
    if (isChosenByPerson(request) || attempt === maxPortAttempts) throw portTaken({ ...request, port });
  }
};

const ensurePassword = async (path: string): Promise<string> => {
  const kept = (await readFile(path, 'utf8').catch(() => '')).trim();
  if (kept !== '') return kept;
  const password = randomBytes(24).toString('base64url');
  await writeFile(path, `${password}\n`, { mode: 0o600 });
  return password;
};

/**
 * Starts a private Redis on the loopback interface from the machine's redis-server or valkey-server. Returns when it
 * accepts commands. A server that a killed hub left behind on the same directory is ended first.
 * @throws EmbeddedStoreError when it cannot, with a sentence that says what to do.
 */
export const startEmbeddedRedis = async (options: EmbeddedRedisOptions): Promise<EmbeddedRedis> => {
  const dataDir = resolve(options.dataDir);
  const onProgress = options.onProgress ?? (() => {});
  const binary = await requireRedisBinary();
  const lock = await acquireDataDirLock(dataDir, onProgress);
  try {
    const password = await ensurePassword(join(dataDir, 'password'));
    await endOrphanedRedis(dataDir, configPathIn(dataDir), onProgress);
    const { server, port } = await startOnFreePort(binary.path, { ...options, dataDir }, password);
    return {
      url: `redis://:${password}@${loopbackHost}:${port}`,
      port,
      pid: server.pid,
      exited: releaseAfter(server.exited, lock),
      async stop() {
        await server.end(redisStop);
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
};
