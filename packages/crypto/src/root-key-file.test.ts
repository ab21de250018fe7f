import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadOrCreateRootKey } from './root-key-file.ts';

describe('the root key file', () => {
  let directory: string;
  let file: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hub-root-key-'));
    file = join(directory, 'secrets', 'root.key');
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is created for the owner alone when it is missing, and read again afterwards', async () => {
    const key = await loadOrCreateRootKey(file);
    expect(key).toHaveLength(32);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await loadOrCreateRootKey(file)).toEqual(key);
  });

  it('is one key although several processes create it at once, and no draft stays behind', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateRootKey(file)));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(await readdir(join(directory, 'secrets'))).toEqual(['root.key']);
  });

  it.each([0o640, 0o604, 0o620])('is refused with mode %o, with the remedy in one sentence', async (mode) => {
    await loadOrCreateRootKey(file);
    await chmod(file, mode);
    await expect(loadOrCreateRootKey(file)).rejects.toThrow(`can be read by others; run: chmod 600 ${file}`);
  });

  it.each([0, 31, 33, 64])('is refused with %i bytes', async (size) => {
    await loadOrCreateRootKey(file);
    await writeFile(file, Buffer.alloc(size));
    await expect(loadOrCreateRootKey(file)).rejects.toThrow(`must hold exactly 32 bytes, but holds ${size}.`);
  });

  it('is refused when it is not a file or cannot be created', async () => {
    await expect(loadOrCreateRootKey(directory)).rejects.toThrow('is not a regular file.');
    await writeFile(join(directory, 'secrets'), '');
    await expect(loadOrCreateRootKey(file)).rejects.toThrow(/cannot be (read|created) \(ENOTDIR\)\./);
  });
});
