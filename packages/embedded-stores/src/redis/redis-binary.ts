import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedStoreError } from '../embedded-store-error.ts';

const run = promisify(execFile);

/** A Redis-compatible server program found on this machine. */
export type RedisBinary = {
  readonly path: string;
  readonly version: string;
};

/** Server programs, in the order they are preferred; also how an orphan is recognised. */
export const redisProgramNames: readonly string[] = ['redis-server', 'valkey-server'];

/** Functions and sharded channels came with 7; Valkey began at 7.2. */
const minMajorVersion = 7;

/** Where packages put servers although an ordinary user's PATH lacks it. */
const extraDirectories = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/homebrew/bin',
  '/snap/bin',
];

const remedy =
  'install one (Debian or Ubuntu: sudo apt-get install redis-server; Fedora: sudo dnf install valkey; Alpine: apk add valkey; ' +
  'macOS: brew install redis), or set REDIS_URL to a running server.';

const versionOf = async (path: string): Promise<string | undefined> => {
  try {
    await access(path, constants.X_OK);
    const { stdout } = await run(path, ['--version']);
    return /\bv=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
};

const searchDirectories = (): string[] => {
  // oxlint-disable-next-line node/no-process-env -- where the machine keeps its programs is no setting of the hub
  const fromPath = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...new Set([...fromPath, ...extraDirectories])];
};

/**
 * Finds a Redis 7+ or Valkey server program.
 * @throws EmbeddedStoreError saying how to get one when there is none, or only an older one.
 */
export const requireRedisBinary = async (
  directories: readonly string[] = searchDirectories(),
): Promise<RedisBinary> => {
  let tooOld: RedisBinary | undefined;
  for (const path of directories.flatMap((directory) => redisProgramNames.map((name) => join(directory, name)))) {
    const version = await versionOf(path);
    if (version === undefined) continue;
    if (Number.parseInt(version, 10) >= minMajorVersion) return { path, version };
    tooOld ??= { path, version };
  }
  throw new EmbeddedStoreError(
    (tooOld === undefined
      ? 'No redis-server or valkey-server was found: '
      : `${tooOld.path} is version ${tooOld.version}, but the hub needs Redis ${minMajorVersion} or newer, or Valkey: `) +
      remedy,
  );
};
