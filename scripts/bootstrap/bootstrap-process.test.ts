import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const scripts = fileURLToPath(new URL('..', import.meta.url));

/** Stands in for npm: notes the call, empties node_modules as `npm ci` does, then acts as NPM_ACTS says. */
const npm = `#!/bin/sh
echo "$@" >> npm-calls
rm -rf node_modules && mkdir node_modules
case "$NPM_ACTS" in
  offline) echo 'npm error code ENOTFOUND, request to https://registry.example.org/fastify failed'; exit 1 ;;
  slowly) touch npm-began; exec sleep 30 ;;
  briefly) exec sleep 1 ;;
esac
`;

const task = `
process.on('SIGTERM', () => process.exit(7));
console.log(JSON.stringify(process.argv.slice(2)));
if (process.argv.includes('wait')) setInterval(() => {}, 1000);
if (process.argv.includes('fail')) process.exit(3);
`;

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'bootstrap-test-'));
  await mkdir(join(root, 'bin'));
  await cp(scripts, join(root, 'scripts'), { recursive: true });
  await writeFile(join(root, 'scripts', 'run-tasks.mjs'), task);
  await writeFile(join(root, 'bin', 'npm'), npm, { mode: 0o755 });
  await writeFile(join(root, 'package-lock.json'), '{"packages":{}}');
});

afterEach(() => rm(root, { recursive: true, force: true }));

const startBootstrap = (
  args: string[],
  { npmActs = '', nodeArguments = [] as string[], path = join(root, 'bin') } = {},
) => {
  const env = { PATH: `${path}:${dirname(process.execPath)}:/usr/bin:/bin`, NPM_ACTS: npmActs };
  const child = spawn(process.execPath, [...nodeArguments, join(root, 'scripts', 'bootstrap.mjs'), ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, signal: child.signalCode, stdout, stderr }));
  return { child, ended, output: () => stdout };
};

const run = (args: string[], options = {}) => startBootstrap(args, options).ended;

const until = async (condition: () => boolean | Promise<boolean>) => {
  while (!(await condition())) await sleep(20);
};

const npmCalls = async () =>
  (await readFile(join(root, 'npm-calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');

test('packages are installed exactly when the lock file changed', async () => {
  expect(await run(['check'])).toMatchObject({ code: 0 });
  expect(await run(['check'])).toMatchObject({ code: 0 });
  expect(await npmCalls()).toEqual(['ci --ignore-scripts --no-audit --no-fund --include=dev --include=optional']);

  await writeFile(join(root, 'package-lock.json'), '{"packages":{},"changed":true}');
  await run(['check']);
  await rm(join(root, 'node_modules'), { recursive: true });
  await run(['check']);
  expect(await npmCalls()).toHaveLength(3);
});

test('a failed install is explained in one sentence without naming the registry, and repeated', async () => {
  const failure = await run(['check'], { npmActs: 'offline' });
  expect(failure.code).toBe(1);
  expect(failure.stdout).toBe('');
  expect(failure.stderr).toContain('The package registry cannot be reached');
  expect(failure.stderr).not.toContain('example.org');

  expect(await run(['check'])).toMatchObject({ code: 0 });
  expect(await npmCalls()).toHaveLength(2);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('an install ended by %s is repeated by the next start', async (signal, code) => {
  const { child, ended } = startBootstrap(['check'], { npmActs: 'slowly' });
  await until(async () => (await readdir(root)).includes('npm-began'));
  child.kill(signal);
  expect(await ended).toMatchObject({ code, stdout: '' });

  expect(await run(['check'])).toMatchObject({ code: 0 });
  expect(await npmCalls()).toHaveLength(2);
});

test('after a bootstrap was killed the next start waits for its npm to end, then installs', async () => {
  const { child, ended } = startBootstrap(['check'], { npmActs: 'briefly' });
  await until(async () => (await npmCalls()).length === 1);
  child.kill('SIGKILL');
  const next = await run(['check']);

  expect(next).toMatchObject({ code: 0 });
  expect(next.stderr).toContain('Another start is installing packages here');
  expect(await npmCalls()).toHaveLength(2);
  await ended;
});

test('of two starts at once one installs and the other waits for it', async () => {
  const results = await Promise.all([run(['check'], { npmActs: 'briefly' }), run(['check'], { npmActs: 'briefly' })]);
  expect(results.map(({ code }) => code)).toEqual([0, 0]);
  expect(await npmCalls()).toHaveLength(1);
  expect(results.map(({ stderr }) => stderr).join('')).toContain('Another start is installing packages here');
});

test('without npm one sentence says so', async () => {
  const { code, stderr } = await run(['check'], {
    nodeArguments: ['--import', 'data:text/javascript,process.env.PATH="/nowhere"'],
  });
  expect(code).toBe(1);
  expect(stderr).toContain('npm was not found: install it');
});

test('without a lock file one sentence says so', async () => {
  await rm(join(root, 'package-lock.json'));
  expect((await run(['check'])).stderr).toContain('package-lock.json is missing');
});

test('arguments reach the task, and its exit code comes back', async () => {
  const { code, stdout } = await run(['check', 'fail', '--flag=1 2']);
  expect(code).toBe(3);
  expect(JSON.parse(stdout)).toEqual(['check', 'fail', '--flag=1 2']);
});

test('a request to end is passed on, and the task ends in its own order', async () => {
  const { child, ended, output } = startBootstrap(['check', 'wait']);
  await until(() => output() !== '');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 7 });
});

test('an unknown task is refused with the names of those that exist', async () => {
  const { code, stderr } = await run(['strat']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/no task "strat".*start, demo, hub, test/);
});

test('a Node.js that is too old is told so in one sentence', async () => {
  const pretend = 'Object.defineProperty(process,"versions",{value:{node:"18.19.0"}})';
  const { code, stderr } = await run(['check'], { nodeArguments: ['--import', `data:text/javascript,${pretend}`] });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^Impact Hub needs Node\.js 20 or newer, but this is v.*\n$/);
  expect(await npmCalls()).toEqual([]);
});
