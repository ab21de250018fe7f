import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeEach(async () => {
  directory = await temporaryDirectory();
});
afterEach(() => directory.remove());

const processesOf = (path: string): string[] =>
  execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(path) && !line.includes('ps -eo'));

const start = async (command: string, args: string[]) => {
  const child: ChildProcess = spawn(command, args, {
    cwd: root,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], HUB_DATA_DIR: directory.path, HUB_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (chunk) => (String(chunk).includes('ready after') ? resolve() : undefined));
  });
  return { child, closed };
};

test('SIGTERM to npm ends the hub and its stores', async () => {
  const { child, closed } = await start('npm', ['start']);
  child.kill('SIGTERM');
  await closed;
  await expect.poll(() => processesOf(directory.path), { timeout: 15_000 }).toEqual([]);
}, 60_000);

test('a terminal that is closed ends the hub in order, although nobody reads its last words', async () => {
  const { child, closed } = await start(process.execPath, ['apps/hub/src/main.ts', 'start']);
  child.stdout?.destroy();
  child.stderr?.destroy();
  child.kill('SIGHUP');
  await closed;
  expect(processesOf(directory.path)).toEqual([]);
}, 60_000);
