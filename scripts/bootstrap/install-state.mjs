import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';

const stampPath = (root) => join(root, 'node_modules', '.hub-install.json');

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
};

const readLock = (root) => {
  try {
    return readFileSync(join(root, 'package-lock.json'));
  } catch (cause) {
    throw new BootstrapError(`package-lock.json is missing in ${root}: restore it (git checkout package-lock.json).`, {
      cause,
    });
  }
};

const currentStamp = (lockBytes) => ({
  lockSha256: createHash('sha256').update(lockBytes).digest('hex'),
  platform: process.platform,
  arch: process.arch,
});

/**
 * Whether a package of the lock file has to be present here. Optional ones are the same program for several platforms,
 * and, without a platform of their own, what another platform's package needs; those of another C library stay out too.
 */
const isRequired = ({ optional = false, os = [], cpu = [], libc }) =>
  !optional || (os.includes(process.platform) && cpu.includes(process.arch) && libc === undefined);

/**
 * Whether npm's own record of what it put into node_modules has every package of the lock file. npm writes it last, so
 * an install that a person or a CI job completed by hand is accepted.
 */
export const coversLock = (lock, installed) =>
  Object.entries(lock.packages ?? {}).every(([path, wanted]) => {
    if (!path.includes('node_modules/') || wanted.link) return true;
    const present = installed.packages?.[path];
    if (present === undefined) return !isRequired(wanted);
    return present.version === wanted.version && present.integrity === wanted.integrity;
  });

/** Whether node_modules holds what package-lock.json asks for, made for this platform. */
export const isInstalled = (root) => {
  const lockBytes = readLock(root);
  const stamp = readJson(stampPath(root));
  if (Object.entries(currentStamp(lockBytes)).every(([name, value]) => stamp?.[name] === value)) return true;
  const installed = readJson(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined || !coversLock(JSON.parse(lockBytes), installed)) return false;
  recordInstall(root);
  return true;
};

/** From now on, until `recordInstall`, node_modules counts as unfinished. */
export const forgetInstall = (root) => {
  rmSync(stampPath(root), { force: true });
  rmSync(join(root, 'node_modules', '.package-lock.json'), { force: true });
};

/** Notes that node_modules was made from the present lock file. */
export const recordInstall = (root) => {
  writeFileSync(stampPath(root), `${JSON.stringify(currentStamp(readLock(root)))}\n`);
};
