import { execFile } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryDirectory } from './support/temporary-directory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
let directory: Awaited<ReturnType<typeof temporaryDirectory>>;

const plant = async (file: string, text: string): Promise<void> => {
  const path = join(directory.path, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
};

/** Runs the real check on a small tree with planted imports. */
const check = (floor = 1): Promise<{ code: number; output: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      ['scripts/check-boundaries.mjs'],
      { cwd: directory.path, env: { ...process.env, BOUNDARY_MODULE_FLOOR: String(floor) } },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });

beforeAll(async () => {
  directory = await temporaryDirectory();
  await mkdir(join(directory.path, 'scripts'));
  await cp(join(root, 'scripts/check-boundaries.mjs'), join(directory.path, 'scripts/check-boundaries.mjs'));
  await cp(join(root, '.dependency-cruiser.cjs'), join(directory.path, '.dependency-cruiser.cjs'));
  await symlink(join(root, 'node_modules'), join(directory.path, 'node_modules'));
  await plant('packages/core/src/index.ts', 'export const one: number = 1;\n');
  await plant('packages/core/src/private.ts', 'export const two: number = 2;\n');
  await plant(
    'packages/crypto/src/index.ts',
    "import { one } from '../../core/src/index.ts';\nexport const three: number = one;\n",
  );
  await plant('apps/hub/src/main.ts', "import { three } from '../../../packages/crypto/src/index.ts';\nvoid three;\n");
}, 60_000);
afterAll(() => directory.remove());

test('a tree that keeps the ladder passes', async () => {
  expect(await check()).toMatchObject({ code: 0 });
});

test('a check that saw too few modules fails', async () => {
  const { code, output } = await check(100);
  expect(code).toBe(1);
  expect(output).toContain('only');
});

test.each([
  ['ladder-core', 'packages/core/src/up.ts', "import { three } from '../../crypto/src/index.ts';\nvoid three;\n"],
  ['only-the-index', 'packages/crypto/src/deep.ts', "import { two } from '../../core/src/private.ts';\nvoid two;\n"],
  ['nothing-imports-an-app', 'packages/crypto/src/app.ts', "import '../../../apps/hub/src/main.ts';\n"],
  [
    'package-not-in-ladder',
    'packages/stranger/src/index.ts',
    "import { one } from '../../core/src/index.ts';\nvoid one;\n",
  ],
  ['resolvable', 'packages/core/src/gone.ts', "import './nowhere.ts';\n"],
])('a planted violation of %s is found', async (rule, file, text) => {
  await plant(file, text);
  const { code, output } = await check();
  await writeFile(join(directory.path, file), 'export {};\n');
  expect(code).toBe(1);
  expect(output).toContain(`${rule}: ${file}`);
});
