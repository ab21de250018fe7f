import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../apps/hub/src/main.ts', import.meta.url));
const startTimeoutMs = 90_000;

export type HubProcess = {
  url: string;
  pid: number;
  /** Everything written to standard error so far. */
  progress(): string;
  /** Sends the signal and waits for the end. @returns the exit code, or null when the signal ended it */
  end(signal: NodeJS.Signals): Promise<number | null>;
};

export type CommandResult = { code: number | null; stdout: string; stderr: string };

/** Only what the hub needs: a developer's own HUB_… or DATABASE_URL must not leak into a test. */
const environment = (settings: Record<string, string>): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  TMPDIR: process.env['TMPDIR'],
  ...settings,
});

const launch = (args: readonly string[], settings: Record<string, string>): ChildProcess =>
  spawn(process.execPath, [main, ...args], { env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] });

/** Runs one command of the hub to its end. */
export const runHubCommand = async (
  args: readonly string[],
  settings: Record<string, string>,
): Promise<CommandResult> => {
  const child = launch(args, settings);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr?.on('data', (chunk) => (stderr += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
};

/** Starts a hub and waits until it says that it is ready. @throws Error with its output when it ends before */
export const startHubProcess = async (
  settings: Record<string, string>,
  args: readonly string[] = ['start'],
): Promise<HubProcess> => {
  const child = launch(args, { HUB_LOG_LEVEL: 'error', ...settings });
  let stderr = '';
  let stdout = '';
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ready = new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGTERM');
      reject(new Error(`the hub was not ready in time:\n${stderr}`));
    }, startTimeoutMs);
    child.stdout?.on('data', (chunk) => (stdout += String(chunk)));
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
      const url = / at (https?:\/\/\S+) \(/.exec(stderr)?.[1];
      if (url !== undefined) {
        clearTimeout(timer);
        resolve(url);
      }
    });
    void exited.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the hub ended with ${code} before it was ready:\n${stderr}\n${stdout}`));
    });
  });
  const url = await ready;
  return {
    url,
    pid: child.pid ?? -1,
    progress: () => stderr,
    end: async (signal) => {
      child.kill(signal);
      return exited;
    },
  };
};
