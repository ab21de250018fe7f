import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquireDataDirLock } from './data-dir-lock.ts';
import { EmbeddedStoreError } from './embedded-store-error.ts';

let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'lock-test-'));
});

afterEach(() => rm(dataDir, { recursive: true, force: true }));

const leaveLock = (content: object) => writeFile(join(dataDir, 'hub.lock'), JSON.stringify(content));

const startSleeper = () => spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });

test('a live holder keeps the directory, and the refusal names its process id', async () => {
  const sleeper = startSleeper();
  await once(sleeper, 'spawn');
  await leaveLock({ pid: sleeper.pid, token: 'theirs' });

  const refusal = await acquireDataDirLock(dataDir).catch((error: unknown) => error);
  sleeper.kill('SIGKILL');

  expect(refusal).toBeInstanceOf(EmbeddedStoreError);
  expect((refusal as Error).message).toContain(`in use by process ${sleeper.pid}`);
  expect((refusal as Error).message).toContain(`kill ${sleeper.pid}`);
});

test('the same process cannot hold a directory twice', async () => {
  const lock = await acquireDataDirLock(dataDir);
  await expect(acquireDataDirLock(dataDir)).rejects.toThrow('this process opened it before');
  await lock.release();
});

test('the lock of a dead process is taken over, and says so', async () => {
  const sleeper = startSleeper();
  await once(sleeper, 'spawn');
  sleeper.kill('SIGKILL');
  await once(sleeper, 'exit');
  await leaveLock({ pid: sleeper.pid, token: 'theirs' });
  const lines: string[] = [];

  const lock = await acquireDataDirLock(dataDir, (line) => lines.push(line));

  expect(lines.join()).toContain(`process ${sleeper.pid}, which no longer runs`);
  await lock.release();
});

test('a lock whose process id now belongs to another program is taken over', async () => {
  await leaveLock({ pid: process.ppid, startMark: 'the start of another process', token: 'theirs' });
  const lock = await acquireDataDirLock(dataDir);
  expect(JSON.parse(await readFile(join(dataDir, 'hub.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test('a lock file cut short by a full disk is taken over', async () => {
  await writeFile(join(dataDir, 'hub.lock'), '{"pid": 12');
  const lock = await acquireDataDirLock(dataDir);
  expect(JSON.parse(await readFile(join(dataDir, 'hub.lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  await lock.release();
});

test('of many starts that meet one stale lock, exactly one wins', async () => {
  await leaveLock({ pid: process.ppid, startMark: 'the start of another process', token: 'theirs' });
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => acquireDataDirLock(dataDir)));
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('release frees the directory and leaves no file', async () => {
  const lock = await acquireDataDirLock(dataDir);
  await lock.release();
  await lock.release();
  expect(await readdir(dataDir)).toEqual([]);
});

test('a directory that cannot be made is refused with one sentence', async () => {
  await writeFile(join(dataDir, 'file'), '');
  await expect(acquireDataDirLock(join(dataDir, 'file', 'below'))).rejects.toThrow(/cannot be written .*HUB_DATA_DIR/);
});
