import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { isProcessAlive } from './process-identity.ts';

/** How a process ended: an exit code, or the signal that ended it. */
export type ProcessExit = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
};

/** One step of ending a process: the signal, and how long it may take before the next step. */
export type EndStep = {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
};

const pollMs = 10;

/** Resolves when the child is gone, also when it could not be started at all; never rejects. */
export const exitOf = (child: ChildProcess): Promise<ProcessExit> => {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
};

const sendSignal = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
};

/** Sends the signals one after the other until the process is gone. Returns false when it outlived all of them. */
export const endProcess = async (pid: number, steps: readonly EndStep[]): Promise<boolean> => {
  for (const { signal, waitMs } of steps) {
    if (!sendSignal(pid, signal)) return true;
    const deadline = performance.now() + waitMs;
    while (performance.now() < deadline) {
      if (!isProcessAlive(pid)) return true;
      await sleep(pollMs);
    }
  }
  return !isProcessAlive(pid);
};
