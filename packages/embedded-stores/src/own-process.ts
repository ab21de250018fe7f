import { spawn, type SpawnOptions } from 'node:child_process';
import { EmbeddedStoreError } from './embedded-store-error.ts';
import { withLogDescriptor } from './log-file.ts';
import { endProcess, exitOf, type EndStep, type ProcessExit } from './process-end.ts';

/** A store's process that this process started. */
export type OwnProcess = {
  readonly pid: number;
  readonly exited: Promise<ProcessExit>;
  /** Ends it by the given steps and waits until it is gone. */
  end(steps: readonly EndStep[]): Promise<void>;
};

/**
 * Starts a store in a process group of its own, so that Ctrl-C reaches only the hub, which then ends its stores in
 * order. Its output goes to `logFile`.
 * @throws EmbeddedStoreError when the program cannot be run.
 */
export const startOwnProcess = async (
  [program = '', ...args]: readonly string[],
  logFile: string,
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'>,
): Promise<OwnProcess> => {
  const child = withLogDescriptor(logFile, (log) =>
    spawn(program, args, { ...options, detached: true, stdio: ['ignore', log, log] }),
  );
  const exited = exitOf(child);
  const { pid } = child;
  if (pid === undefined)
    throw new EmbeddedStoreError(`${program} cannot be run: see that it exists and may be executed.`);
  let hasEnded = false;
  void exited.then(() => (hasEnded = true));
  return {
    pid,
    exited,
    async end(steps) {
      // Once it is reaped, its id may belong to another process.
      if (!hasEnded && !(await endProcess(pid, steps))) {
        throw new EmbeddedStoreError(`Process ${pid} (${program}) does not end: end it yourself (kill -9 ${pid}).`);
      }
      await exited;
    },
  };
};
