import { constants } from 'node:os';
import { join } from 'node:path';
import { BootstrapError } from './bootstrap-error.mjs';
import { explainInstallFailure, hideHosts } from './explain-install-failure.mjs';
import { withInstallLock } from './install-lock.mjs';
import { forgetInstall, isInstalled, recordInstall } from './install-state.mjs';
import { showProgress } from './progress.mjs';
import { runChild } from './run-child.mjs';

/**
 * `--ignore-scripts`: nothing of what was downloaded runs before its checksum was compared and we use it. Both kinds are
 * asked for by name, because NODE_ENV=production or a person's npm settings would leave one out.
 */
const npmArguments = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--include=dev', '--include=optional'];

/** Ends the bootstrap as its being asked to end: quietly, with the conventional exit code. */
const interrupted = (signal) => Object.assign(new BootstrapError(''), { exitCode: 128 + constants.signals[signal] });

const runNpm = async (root, onStart) => {
  const isVerbose = Boolean(process.env.VERBOSE);
  const stdio = isVerbose ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
  const endProgress = showProgress('Installing packages (npm ci)');
  const result = await runChild('npm', npmArguments, { cwd: root, stdio }, onStart).catch((cause) => {
    endProgress('failed');
    throw new BootstrapError('npm was not found: install it (it comes with Node.js) and run the command again.', {
      cause,
    });
  });
  if (result.interruptedBy !== undefined) {
    endProgress('interrupted; the next start repeats it');
    throw interrupted(result.interruptedBy);
  }
  if (result.code === 0) return endProgress('done');
  endProgress('failed');
  if (!isVerbose) console.error(hideHosts(result.output.trim()));
  throw new BootstrapError(explainInstallFailure(result.output, result));
};

/** The checkout itself cannot be written, which npm is not there to explain. */
const explainFileError = (root, error) => {
  if (!['EACCES', 'EPERM', 'EROFS', 'ENOSPC'].includes(error.code)) throw error;
  throw new BootstrapError(explainInstallFailure(error.message, {}).replace('this directory', root), { cause: error });
};

/** Installs the packages of package-lock.json, unless another process is doing so: then waits for it. */
export const installPackages = (root) =>
  withInstallLock(
    join(root, '.hub', 'install.lock'),
    () => console.error('Another start is installing packages here; waiting for it …'),
    async (addHolder) => {
      if (isInstalled(root)) return;
      forgetInstall(root);
      await runNpm(root, addHolder);
      recordInstall(root);
    },
  ).catch((error) => explainFileError(root, error));
