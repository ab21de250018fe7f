import { join, resolve } from 'node:path';
import { acquireDataDirLock, type DataDirLock, releaseAfter } from '../data-dir-lock.ts';
import {
  choosePort,
  isChosenByPerson,
  loopbackHost,
  type PortRequest,
  portTaken,
  rememberPort,
} from '../loopback-port.ts';
import type { ProcessExit } from '../process-end.ts';
import { type ClusterPlace, ensureCluster, ownerName } from './initialise-cluster.ts';
import { endOrphanedPostgres, fastStop, immediateStop } from './orphaned-postgres.ts';
import { locatePostgresBinaries } from './postgres-binaries.ts';
import { launchServer, type ServerProcess } from './server-process.ts';
import { chooseServerAccount, createLauncher } from './server-account.ts';

/** What may be chosen about the embedded PostgreSQL. */
export type EmbeddedPostgresOptions = {
  /** Holds the cluster, the owner's password, the port and the log; created when missing. */
  readonly dataDir: string;
  /** 0 or absent: the port of the last start when it is still free, else any free one. */
  readonly port?: number;
  /** The setting that `port` came from, for the message when it is taken. */
  readonly portSetting?: string;
  readonly onProgress?: (line: string) => void;
  /** Server settings that replace ours, by PostgreSQL's names. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Default: `postgres.log` in the data directory. */
  readonly logFile?: string;
};

/** A running PostgreSQL server that belongs to this process. */
export type EmbeddedPostgres = {
  /**
   * Connects the owner, a superuser, to the database `postgres`. A restart keeps the address as long as its port stays
   * free.
   */
  readonly adminUrl: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  readonly exited: Promise<ProcessExit>;
  /**
   * `fast` (default) writes everything; `immediate` leaves recovery to the next start. May be called more than once.
   */
  stop(mode?: 'fast' | 'immediate'): Promise<void>;
};

const maxPortAttempts = 5;

const preparePlace = async (dataDir: string, onProgress: (line: string) => void): Promise<ClusterPlace> => {
  const clusterDir = join(dataDir, 'cluster');
  const binaries = await locatePostgresBinaries();
  const account = await chooseServerAccount(clusterDir);
  const launcher = await createLauncher(account, [binaries.postgres, dataDir]);
  await endOrphanedPostgres(clusterDir, onProgress);
  return { dataDir, clusterDir, binaries, account, launcher };
};

/**
 * Between choosing a port and the server's taking it, another program may: then another one is picked, unless a person
 * chose it.
 */
const startOnFreePort = async (
  place: ClusterPlace,
  password: string,
  options: EmbeddedPostgresOptions,
): Promise<ServerProcess> => {
  const request: PortRequest = {
    store: 'PostgreSQL',
    dataDir: place.dataDir,
    port: options.port,
    setting: options.portSetting ?? 'HUB_POSTGRES_PORT',
  };
  for (let attempt = 1; ; attempt += 1) {
    const port = await choosePort(request);
    await rememberPort(place.dataDir, port);
    const outcome = await launchServer(place, {
      port,
      password,
      settings: options.settings ?? {},
      logFile: options.logFile ?? join(place.dataDir, 'postgres.log'),
    });
    if (outcome !== 'port-taken') return outcome;
    if (isChosenByPerson(request) || attempt === maxPortAttempts) throw portTaken({ ...request, port });
  }
};

const describe = (server: ServerProcess, password: string, lock: DataDirLock): EmbeddedPostgres => {
  return {
    adminUrl: `postgres://${ownerName}:${password}@${loopbackHost}:${server.port}/postgres`,
    host: loopbackHost,
    port: server.port,
    user: ownerName,
    password,
    pid: server.pid,
    exited: releaseAfter(server.exited, lock),
    async stop(mode = 'fast') {
      await server.end(mode === 'fast' ? fastStop : immediateStop);
      await lock.release();
    },
  };
};

/**
 * Starts a PostgreSQL 18 server on the loopback interface, creating its cluster the first time. Returns when it accepts
 * connections. A server that a killed hub left behind on the same directory is ended first. As root the server runs
 * under an unprivileged account.
 * @throws EmbeddedStoreError when it cannot, with a sentence that says what to do.
 */
export const startEmbeddedPostgres = async (options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  const dataDir = resolve(options.dataDir);
  const onProgress = options.onProgress ?? (() => {});
  const lock = await acquireDataDirLock(dataDir, onProgress);
  try {
    const place = await preparePlace(dataDir, onProgress);
    const password = await ensureCluster(place, onProgress);
    const server = await startOnFreePort(place, password, { ...options, dataDir });
    return describe(server, password, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
};
