import { constants } from 'node:os';
import { BootstrapError } from './bootstrap-error.mjs';
import { findProgram, findRedis, pathDirectories } from './find-redis.mjs';
import { showProgress } from './progress.mjs';
import { runChild } from './run-child.mjs';

/** Package managers we may use as root: how to make them know their packages, and ways to install, the best first. */
const packageManagers = [
  {
    program: 'apt-get',
    refresh: ['update'],
    installs: [
      ['install', '-y', '--no-install-recommends', 'redis-server'],
      ['install', '-y', '--no-install-recommends', 'valkey-server'],
    ],
  },
  {
    program: 'apk',
    refresh: ['update'],
    installs: [
      ['add', 'valkey'],
      ['add', 'redis'],
    ],
  },
  {
    program: 'dnf',
    refresh: undefined,
    installs: [
      ['install', '-y', 'valkey'],
      ['install', '-y', 'redis'],
    ],
  },
];

const handCommands = { 'apt-get': 'apt-get install redis-server', apk: 'apk add valkey', dnf: 'dnf install valkey' };

/** The sentence for where we may not install it ourselves. */
export const adviseOnRedis = (manager, platform = process.platform) => {
  const command =
    platform === 'darwin'
      ? 'install one with "brew install redis"'
      : manager === undefined
        ? "install one with this system's package manager"
        : `install one with "sudo ${handCommands[manager]}"`;
  return `The hub needs a redis-server or valkey-server program and found none: ${command}, or set REDIS_URL to a running server, and run the command again.`;
};

const attempt = async (program, args) => {
  const isVerbose = Boolean(process.env.VERBOSE);
  const result = await runChild(program, args, {
    stdio: isVerbose ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (result.interruptedBy === undefined) return result;
  throw Object.assign(new BootstrapError(''), { exitCode: 128 + constants.signals[result.interruptedBy] });
};

const installWith = async ({ program, refresh, installs }) => {
  if (refresh !== undefined) await attempt(program, refresh);
  let output = '';
  for (const args of installs) {
    const result = await attempt(program, args);
    if (result.code === 0) return undefined;
    output ||= result.output;
  }
  return output;
};

/**
 * Installs the system's Redis package where we may: as root with a package manager we know. The hub runs the program
 * from it as a private process; it does not use the system's own Redis service.
 * @throws BootstrapError saying how to install it by hand
 */
export const installRedis = async (isRoot = process.getuid?.() === 0, find = findRedis) => {
  const manager = packageManagers.find(({ program }) => findProgram([program], pathDirectories()) !== undefined);
  if (!isRoot || manager === undefined) throw new BootstrapError(adviseOnRedis(manager?.program));
  console.error(`No redis-server was found; installing the system package with ${manager.program}, as this is root.`);
  const endProgress = showProgress(`Installing Redis (${manager.program})`);
  const failure = await installWith(manager).catch((error) => {
    endProgress('interrupted');
    throw error;
  });
  const isThere = find() !== undefined;
  endProgress(isThere ? 'done' : 'failed');
  if (isThere) return;
  if (failure) console.error(failure.trim());
  throw new BootstrapError(adviseOnRedis(manager.program));
};
