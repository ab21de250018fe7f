import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const programs = ['redis-server', 'valkey-server'];

/** Where packages put servers although an ordinary user's PATH lacks it. */
const extraDirectories = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/local/bin',
  '/usr/local/sbin',
  '/opt/homebrew/bin',
  '/snap/bin',
];

const isExecutable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/** The first of `names` that can be executed in `directories`, with its path; `undefined` when there is none. */
export const findProgram = (names, directories) =>
  directories.flatMap((directory) => names.map((name) => join(directory, name))).find(isExecutable);

/** The directories of the PATH. */
export const pathDirectories = () => (process.env.PATH ?? '').split(delimiter).filter(Boolean);

/** Path of a Redis or Valkey server program on this machine, if there is one. The hub checks its version itself. */
export const findRedis = () => findProgram(programs, [...pathDirectories(), ...extraDirectories]);
