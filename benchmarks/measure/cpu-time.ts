import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks per second of /proc/<pid>/stat; 100 on every Linux we run on (sysconf(_SC_CLK_TCK)). */
const ticksPerSecond = 100;

type Stat = { pid: number; parent: number; ticks: number };

const readStat = (pid: string): Stat | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command in parentheses may hold spaces; fields are counted after it (proc(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number);
    return {
      pid: Number(pid),
      parent: Number(fields[1]),
      ticks: (utime ?? 0) + (stime ?? 0) + (cutime ?? 0) + (cstime ?? 0),
    };
  } catch {
    return undefined;
  }
};

/** CPU seconds used so far by a process, its children and those it has already waited for. */
export const cpuSecondsOf = (root: number): number => {
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(name) ?? []);
  const wanted = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const stat of stats)
      if (wanted.has(stat.parent) && !wanted.has(stat.pid)) {
        wanted.add(stat.pid);
        grown = true;
      }
  }
  return stats.filter((stat) => wanted.has(stat.pid)).reduce((sum, stat) => sum + stat.ticks, 0) / ticksPerSecond;
};
