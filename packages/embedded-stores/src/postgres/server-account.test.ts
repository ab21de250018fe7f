import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chooseServerAccount, createLauncher } from './server-account.ts';

const run = promisify(execFile);
const account = { uid: 65_534, gid: 65_534 };

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'account-test-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

test.runIf(process.getuid?.() !== 0)('an ordinary user starts the server as themselves', async () => {
  expect(await chooseServerAccount(directory)).toBeUndefined();
  expect(await createLauncher(undefined, [directory])).toEqual({ prefix: [], spawnOptions: {} });
});

describe.runIf(process.getuid?.() === 0)('started by root', () => {
  test('a new cluster goes to an unprivileged account', async () => {
    expect((await chooseServerAccount(join(directory, 'absent')))?.uid).toBeGreaterThan(0);
  });

  test('an existing cluster keeps its owner', async () => {
    await chown(directory, 1234, 5678);
    expect(await chooseServerAccount(directory)).toEqual({ uid: 1234, gid: 5678 });
  });

  test('the account gets no capability where every account may enter', async () => {
    await chmod(directory, 0o755);
    expect(await createLauncher(account, [directory])).toEqual({ prefix: [], spawnOptions: account });
  });

  test.runIf(process.platform === 'linux')(
    'below a closed directory it gets the one that passes it, and no other',
    async () => {
      const inner = join(directory, 'inner');
      await mkdir(inner);
      const { prefix } = await createLauncher(account, [inner]);
      const [program, ...args] = [...prefix, 'grep', '-E', '^(Uid|CapEff|CapPrm)', '/proc/self/status'];
      const { stdout } = await run(program, args);
      expect(stdout).toMatch(/^Uid:\s+65534\s+65534/m);
      // CAP_DAC_OVERRIDE is bit 1 (linux/capability.h).
      expect(stdout.match(/^Cap\w+:\s+0*2$/gm)).toHaveLength(2);
    },
  );

  test('where nothing helps, one sentence says what to do', async () => {
    await expect(createLauncher(account, [join(directory, 'absent')])).rejects.toThrow(/chmod o\+x.*DATABASE_URL/);
  });
});
