import { mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createLibraryLinks } from './postgres-binaries.ts';

test('the library links are completed after an install without scripts, also by many at once', async () => {
  const packageDir = await mkdtemp(join(tmpdir(), 'links-test-'));
  const nativeDir = join(packageDir, 'native');
  await mkdir(join(nativeDir, 'lib'), { recursive: true });
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }];
  await writeFile(join(nativeDir, 'pg-symlinks.json'), JSON.stringify(links));

  await Promise.all(Array.from({ length: 8 }, () => createLibraryLinks(nativeDir)));

  expect(await readlink(join(nativeDir, 'lib', 'libpq.so.5'))).toBe('libpq.so.5.18');
  await rm(packageDir, { recursive: true });
});
