import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BootstrapError } from './bootstrap-error.mjs';
import { isInstalled } from './install-state.mjs';
import { findNode24, requireSupportedPlatform } from './node-24.mjs';
import { findRedis } from './find-redis.mjs';
import { runChild } from './run-child.mjs';
import { describeTasks, startsRedis, tasks } from './tasks.mjs';

const exitCodeOf = ({ code, signal }) => code ?? 128 + constants.signals[signal];

/** Installs what is missing. The installers are loaded only then: nearly every call has nothing to install. */
const prepare = async (root, needsRedis) => {
  if (!isInstalled(root)) await (await import('./install-packages.mjs')).installPackages(root);
  const node = findNode24(root);
  if (needsRedis && findRedis() === undefined) await (await import('./install-redis.mjs')).installRedis();
  return node;
};

const runTask = async (root, name, args) => {
  const task = tasks[name];
  if (task === undefined) {
    throw new BootstrapError(`There is no task "${name}"; these exist: ${Object.keys(tasks).join(', ')}.`);
  }
  requireSupportedPlatform();
  const node = await prepare(root, startsRedis(task, args, process.env));
  const [file, ...fixed] = task.command;
  const env = { ...process.env, PATH: [dirname(node), process.env.PATH].filter(Boolean).join(delimiter) };
  return exitCodeOf(await runChild(node, [join(root, file), ...fixed, ...args], { cwd: root, env, stdio: 'inherit' }));
};

/** Prepares the checkout and runs a task with Node.js 24; ends with the task's exit code. */
export const main = async ([name = '--help', ...args]) => {
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(describeTasks());
    return;
  }
  const root = fileURLToPath(new URL('../..', import.meta.url));
  try {
    process.exitCode = await runTask(root, name, args);
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error;
    if (error.message) console.error(`\n${error.message}`);
    process.exitCode = error.exitCode ?? 1;
  }
};
