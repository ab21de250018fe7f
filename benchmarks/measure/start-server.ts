import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export type ServerProcess = { pid: number; port: number; stop(): Promise<void> };

const startTimeoutMs = 60_000;

/**
 * Starts a program of the repository that says on standard error where it listens, as the hub does (`… at <url> (`).
 * With `BENCH_CPU_PROFILE_DIR` set it writes a CPU profile there when it ends.
 */
export const startServer = (
  path: string,
  args: readonly string[],
  settings: Record<string, string>,
): Promise<ServerProcess> => {
  const profileDir = process.env['BENCH_CPU_PROFILE_DIR'];
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const file = fileURLToPath(new URL(`../../${path}`, import.meta.url));
  const child = spawn(process.execPath, [...profiling, file, ...args], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      TMPDIR: process.env['TMPDIR'],
      HUB_PORT: '0',
      ...settings,
    },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`${path} ${why}:\n${output}`));
    };
    const timer = setTimeout(() => fail('was not ready in time'), startTimeoutMs);
    void closed.then(() => fail('ended'));
    child.stderr.on('data', (chunk) => {
      output += String(chunk);
      const port = / at https?:\/\/[^:]+:(\d+)/.exec(output)?.[1];
      if (port === undefined || child.pid === undefined) return;
      clearTimeout(timer);
      resolve({
        pid: child.pid,
        port: Number(port),
        stop: async () => {
          child.kill('SIGTERM');
          await closed;
        },
      });
    });
  });
};
