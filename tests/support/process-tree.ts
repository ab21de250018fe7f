import { readdir, readFile } from 'node:fs/promises';

const parentOf = async (pid: string): Promise<number> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  // The command in parentheses may hold spaces; fields are counted after it (proc(5)).
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
};

/** Processes whose parent it is, at this moment. */
export const childrenOf = async (pid: number): Promise<number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const each of pids) if ((await parentOf(each)) === pid) found.push(Number(each));
  return found;
};

/** Signals a process and its children; those that have ended meanwhile are left out. */
export const signalTree = async (pid: number, signal: NodeJS.Signals): Promise<void> => {
  process.kill(pid, signal);
  for (const child of await childrenOf(pid))
    try {
      process.kill(child, signal);
    } catch {
      // It ended by itself.
    }
};
