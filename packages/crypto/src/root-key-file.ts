import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyStoreError } from './errors.ts';
import { keyBytes } from './xaes-256-gcm.ts';

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error);

/** As PostgreSQL judges its TLS key: nobody else may read it, save the group of a file that root owns and mounts for us. */
const isExposed = (mode: number, ownerId: number, ownId: number): boolean =>
  ownerId === ownId ? (mode & 0o077) !== 0 : ownerId !== 0 || (mode & 0o037) !== 0;

const readRootKey = async (file: string): Promise<Buffer | undefined> => {
  const handle = await open(file, constants.O_RDONLY).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new KeyStoreError(`The root key file ${file} cannot be read (${codeOf(error)}).`);
  });
  if (handle === undefined) return undefined;
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new KeyStoreError(`The root key file ${file} is not a regular file.`);
    if (isExposed(stat.mode, stat.uid, process.getuid?.() ?? stat.uid))
      throw new KeyStoreError(`The root key file ${file} can be read by others; run: chmod 600 ${file}`);
    if (stat.size !== keyBytes)
      throw new KeyStoreError(`The root key file ${file} must hold exactly ${keyBytes} bytes, but holds ${stat.size}.`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
};

/** Written and synced under another name and then linked: a key file is there whole or not at all, and never replaced. */
const createRootKey = async (file: string): Promise<void> => {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(randomBytes(keyBytes));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  const directory = await open(dirname(file), constants.O_RDONLY);
  await directory.sync().finally(() => directory.close());
};

/**
 * Reads the installation's root key, or creates it (mode 0600) when the file is missing, which is meant for
 * development: whoever loses this file loses everything encrypted under it.
 *
 * @returns 32 bytes
 * @throws KeyStoreError, one plain sentence, when the file is unreadable, exposed to others or of the wrong size
 */
export const loadOrCreateRootKey = async (file: string): Promise<Buffer> => {
  const existing = await readRootKey(file);
  if (existing !== undefined) return existing;
  await createRootKey(file).catch((error: unknown) => {
    throw new KeyStoreError(`The root key file ${file} cannot be created (${codeOf(error)}).`);
  });
  const created = await readRootKey(file);
  if (created === undefined) throw new KeyStoreError(`The root key file ${file} vanished while it was being read.`);
  return created;
};
