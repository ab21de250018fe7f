import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { EmbeddedStoreError } from '../embedded-store-error.ts';
import { lastLogLines, type LogPosition, prepareLog } from '../log-file.ts';
import { loopbackHost } from '../loopback-port.ts';
import { type OwnProcess, startOwnProcess } from '../own-process.ts';
import { type ClusterPlace, ownerName, serverEnvironment } from './initialise-cluster.ts';
import { immediateStop, readPostmasterFile } from './orphaned-postgres.ts';

/** How this one start of the server differs from another. */
export type ServerStart = {
  readonly port: number;
  readonly password: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly logFile: string;
};

/** The running server. */
export type ServerProcess = OwnProcess & {
  readonly port: number;
};

const defaultSettings: Readonly<Record<string, string>> = {
  listen_addresses: loopbackHost,
  // Addresses with a password are the only way in; a socket file would also need a short path, which a checkout may not
  // have.
  unix_socket_directories: '',
  // The warehouse follows the log.
  wal_level: 'logical',
  max_connections: '200',
  shared_buffers: '256MB',
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
};

const readyTimeoutMs = 60_000;
const pollMs = 10;
/** How long the remains of a killed server may take to go: its workers, and its entry in the process table. */
const remainsGoneTimeoutMs = 10_000;
const remainsOfKilledServer = /is still in use|lock file "postmaster\.pid" already exists/;

const spawnServer = async (place: ClusterPlace, start: ServerStart): Promise<OwnProcess> => {
  const settings = { ...defaultSettings, ...start.settings };
  const command = [
    ...place.launcher.prefix,
    place.binaries.postgres,
    '-D',
    place.clusterDir,
    '-p',
    String(start.port),
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  return startOwnProcess(command, start.logFile, { ...place.launcher.spawnOptions, cwd: '/', env: serverEnvironment });
};

const waitUntilReady = async (place: ClusterPlace, server: OwnProcess): Promise<'ready' | 'ended' | 'too-slow'> => {
  let hasEnded = false;
  void server.exited.then(() => (hasEnded = true));
  const deadline = performance.now() + readyTimeoutMs;
  while (performance.now() < deadline) {
    const file = await readPostmasterFile(place.clusterDir);
    if (file?.pid === server.pid && file.isReady) return 'ready';
    if (hasEnded) return 'ended';
    await sleep(pollMs);
  }
  return 'too-slow';
};

const proveWithQuery = async (server: OwnProcess, { port, password }: ServerStart, log: LogPosition): Promise<void> => {
  const sql = postgres({
    host: loopbackHost,
    port,
    user: ownerName,
    password,
    database: 'postgres',
    max: 1,
    connect_timeout: 10,
  });
  try {
    await sql`SELECT 1`;
  } catch (cause) {
    await server.end(immediateStop);
    throw new EmbeddedStoreError(
      `The embedded PostgreSQL started but does not accept the hub's password; if the password file was replaced, restore it. Its log (${log.path}) ends with:\n${await lastLogLines(log)}`,
      { cause },
    );
  } finally {
    await sql.end({ timeout: 1 });
  }
};

const cannotStart = (place: ClusterPlace, state: 'ended' | 'too-slow', lines: string): EmbeddedStoreError => {
  const what = state === 'ended' ? 'ended during its start' : `was not ready within ${readyTimeoutMs / 1000} seconds`;
  return new EmbeddedStoreError(
    `The embedded PostgreSQL in ${place.dataDir} ${what}; correct what its log says, or set DATABASE_URL:\n${lines}`,
  );
};

/** Starts the server and waits until it answers a query; `port-taken` when another program was faster. */
export const launchServer = async (place: ClusterPlace, start: ServerStart): Promise<ServerProcess | 'port-taken'> => {
  const deadline = performance.now() + remainsGoneTimeoutMs;
  for (;;) {
    const log = await prepareLog(start.logFile);
    const server = await spawnServer(place, start);
    const state = await waitUntilReady(place, server);
    if (state === 'ready') {
      await proveWithQuery(server, start, log);
      return { ...server, port: start.port };
    }
    await server.end(immediateStop);
    const lines = await lastLogLines(log);
    if (lines.includes('Address already in use')) return 'port-taken';
    if (!remainsOfKilledServer.test(lines) || performance.now() > deadline) throw cannotStart(place, state, lines);
    await sleep(100);
  }
};
