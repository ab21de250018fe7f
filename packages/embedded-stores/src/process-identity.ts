import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';

const readText = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/**
 * Fields of /proc/<pid>/stat from the third (state) on: the second is the program's name, which may itself contain
 * blanks and brackets.
 */
const statFields = (pid: number): string[] | undefined => {
  const text = readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
};

const askPs = (pid: number, column: string): string | undefined => {
  try {
    return (
      execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim() ||
      undefined
    );
  } catch {
    return undefined;
  }
};

const processState = (pid: number): string | undefined => {
  return process.platform === 'linux' ? statFields(pid)?.[0] : askPs(pid, 'state=')?.slice(0, 1);
};

/** Whether a process with this id exists; one of another user counts as alive. */
export const isProcessAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // A zombie answers the signal, but holds no files any more; under a container's init it may stay one for ever.
  return processState(pid) !== 'Z';
};

/**
 * A text that differs between two processes that were given the same id one after the other: boot id and start tick on
 * Linux, the start time elsewhere. `undefined` when there is no such process.
 */
export const processStartMark = (pid: number): string | undefined => {
  if (process.platform !== 'linux') return askPs(pid, 'lstart=');
  const startTick = statFields(pid)?.[19];
  return startTick === undefined ? undefined : `${readText('/proc/sys/kernel/random/boot_id')?.trim()}:${startTick}`;
};

/**
 * The name of the program that a process runs; `undefined` when there is no such process or it may not be looked at.
 */
export const programOf = (pid: number): string | undefined => {
  if (process.platform === 'linux') return readText(`/proc/${pid}/comm`)?.trim();
  const path = askPs(pid, 'comm=');
  return path === undefined ? undefined : basename(path);
};

const commandLine = (pid: number): string[] | undefined => {
  if (process.platform === 'linux') return readText(`/proc/${pid}/cmdline`)?.split('\0');
  const line = askPs(pid, 'args=');
  if (line === undefined) return undefined;
  const [program = '', ...rest] = line.split(' ');
  // `ps` joins with blanks, so a path that contains one is looked for in every run of words that could make it up.
  return [
    program,
    ...rest.flatMap((_, start) => rest.slice(start).map((__, end) => rest.slice(start, start + end + 1).join(' '))),
  ];
};

/**
 * Whether `pid` runs one of `programs` and works on `directory`. Decides over a kill, so it answers no when in doubt.
 * The command line is compared before the working directory, because root in a container may not read another user's
 * `cwd` link.
 */
export const processWorksOn = (pid: number, programs: readonly string[], directory: string): boolean => {
  const args = commandLine(pid);
  const program = programOf(pid);
  if (args === undefined || program === undefined || !programs.includes(program)) return false;
  if (args.includes(directory)) return true;
  try {
    const realDirectory = realpathSync(directory);
    if (args.includes(realDirectory)) return true;
    return readlinkSync(`/proc/${pid}/cwd`) === realDirectory;
  } catch {
    return false;
  }
};
