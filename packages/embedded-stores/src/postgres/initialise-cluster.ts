import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, chmod, chown, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedStoreError } from '../embedded-store-error.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { Launcher, ServerAccount } from './server-account.ts';

const run = promisify(execFile);

/** The superuser that owns the embedded cluster. */
export const ownerName = 'hub_owner';

/** Nothing of our own environment (PGPORT, PGOPTIONS, a locale the machine lacks) reaches the server. */
export const serverEnvironment: NodeJS.ProcessEnv = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
};

/** What one start of the server needs to know about where and how it runs. */
export type ClusterPlace = {
  readonly dataDir: string;
  readonly clusterDir: string;
  readonly binaries: PostgresBinaries;
  readonly account: ServerAccount | undefined;
  readonly launcher: Launcher;
};

const outputOf = (error: unknown): string => {
  const { stdout = '', stderr = '', message = '' } = error as { stdout?: string; stderr?: string; message?: string };
  return (stderr || stdout || message).trim().split('\n').slice(-12).join('\n');
};

const runInitdb = async (place: ClusterPlace, password: string): Promise<void> => {
  const unfinishedDir = `${place.clusterDir}.unfinished`;
  const passwordPath = `${place.clusterDir}.password`;
  await rm(unfinishedDir, { recursive: true, force: true });
  await rm(passwordPath, { force: true });
  await mkdir(unfinishedDir, { mode: 0o700 });
  await writeFile(passwordPath, password, { mode: 0o600, flag: 'wx' });
  if (place.account !== undefined) {
    await chown(unfinishedDir, place.account.uid, place.account.gid);
    await chown(passwordPath, place.account.uid, place.account.gid);
  }
  const [program, ...args] = [
    ...place.launcher.prefix,
    place.binaries.initdb,
    `--pgdata=${unfinishedDir}`,
    `--username=${ownerName}`,
    `--pwfile=${passwordPath}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The built-in provider sorts the same on every operating system; the C library's locales do not.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  try {
    await run(program, args, { ...place.launcher.spawnOptions, cwd: '/', env: serverEnvironment });
  } catch (cause) {
    throw new EmbeddedStoreError(
      `The database cannot be created in ${place.dataDir}; PostgreSQL says:\n${outputOf(cause)}`,
      { cause },
    );
  } finally {
    await rm(passwordPath, { force: true });
  }
  await rm(place.clusterDir, { recursive: true, force: true });
  await rename(unfinishedDir, place.clusterDir);
};

/** A cluster that root copied or restored must belong to the server's account again. */
const giveToAccount = async ({ clusterDir, account }: ClusterPlace): Promise<void> => {
  if (account === undefined || (await stat(clusterDir)).uid === account.uid) return;
  await run('chown', ['-R', `${account.uid}:${account.gid}`, clusterDir]);
  await chmod(clusterDir, 0o700);
};

const readPassword = async (path: string, dataDir: string): Promise<string> => {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new EmbeddedStoreError(
      `The password of the database cannot be read from ${path}: restore that file, or delete ${dataDir} to start with an empty database.`,
      { cause },
    );
  }
};

const exists = async (path: string): Promise<boolean> => {
  return access(path).then(
    () => true,
    () => false,
  );
};

/**
 * Creates the cluster unless it exists. It is made aside and renamed when complete, so an interrupted start leaves
 * nothing half done. Returns the owner's password.
 */
export const ensureCluster = async (place: ClusterPlace, onProgress: (line: string) => void): Promise<string> => {
  const passwordPath = join(place.dataDir, 'password');
  if (await exists(join(place.clusterDir, 'PG_VERSION'))) {
    await giveToAccount(place);
    return readPassword(passwordPath, place.dataDir);
  }
  onProgress(`Creating the database in ${place.dataDir}.`);
  const password = randomBytes(24).toString('base64url');
  await rm(passwordPath, { force: true });
  await writeFile(passwordPath, `${password}\n`, { mode: 0o600, flag: 'wx' });
  await runInitdb(place, password);
  return password;
};
