import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';

/** From this version on, Node.js runs TypeScript without a warning. */
const minimum = { major: 24, minor: 12 };

const supported = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'];

/** Where the packages that carry Node.js 24 put it. */
const candidates = (platform) => [
  `node_modules/node-${platform}/bin/node`,
  `node_modules/node-bin-${platform}/bin/node`,
  'node_modules/node/bin/node',
];

const isRecent = (version) => {
  const [major, minor] = version.split('.').map(Number);
  return major > minimum.major || (major === minimum.major && minor >= minimum.minor);
};

/** Refuses, before anything is downloaded, where the hub cannot run. @throws BootstrapError */
export const requireSupportedPlatform = (platform = `${process.platform}-${process.arch}`) => {
  if (supported.includes(platform)) return;
  const advice = platform.startsWith('win32') ? 'run it in WSL 2 (Ubuntu)' : `run it on ${supported.join(', ')}`;
  throw new BootstrapError(`Impact Hub does not run on ${platform}: ${advice}.`);
};

/**
 * The Node.js that runs the tasks: this one when it is recent enough, else the one from the installed packages.
 * @throws BootstrapError when there is neither
 */
export const findNode24 = (
  root,
  running = { version: process.versions.node, path: process.execPath },
  platform = `${process.platform}-${process.arch}`,
) => {
  if (isRecent(running.version)) return running.path;
  const found = candidates(platform)
    .map((path) => join(root, path))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new BootstrapError(
    `No Node.js ${minimum.major} is packaged for ${platform}: install Node.js ${minimum.major}.${minimum.minor} or newer (https://nodejs.org) and run the command again.`,
  );
};
