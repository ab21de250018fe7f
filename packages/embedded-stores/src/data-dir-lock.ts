import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EmbeddedStoreError } from './embedded-store-error.ts';
import { isProcessAlive, processStartMark } from './process-identity.ts';

/** A held lock. `release` may be called more than once. */
export type DataDirLock = {
  release(): Promise<void>;
};

type LockContent = {
  readonly pid: number;
  readonly startMark: string | undefined;
  readonly token: string;
};

const fileName = 'hub.lock';
const maxAttempts = 20;

const isHeld = (holder: LockContent): boolean => {
  if (!isProcessAlive(holder.pid)) return false;
  return holder.startMark === undefined || holder.startMark === processStartMark(holder.pid);
};

const alreadyInUse = (dataDir: string, path: string, pid: number): EmbeddedStoreError => {
  const remedy =
    pid === process.pid
      ? 'this process opened it before, so close that first'
      : `stop it (kill ${pid}), or choose another directory with HUB_DATA_DIR`;
  return new EmbeddedStoreError(
    `The data directory ${dataDir} is in use by process ${pid}: ${remedy} (lock file: ${path}).`,
  );
};

const refuseUnwritable = (dataDir: string, cause: unknown): never => {
  throw new EmbeddedStoreError(
    `The data directory ${dataDir} cannot be written (${(cause as NodeJS.ErrnoException).code}): make it writable for this user, make room, or choose another with HUB_DATA_DIR.`,
    { cause },
  );
};

/** Writes aside and links into place, so that nobody ever reads half a lock. */
const createWhole = async (path: string, content: LockContent): Promise<boolean> => {
  const aside = `${path}.${content.token}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(aside, JSON.stringify(content), { mode: 0o600 });
  try {
    await link(aside, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(aside, { force: true });
  }
};

const readLock = async (path: string): Promise<LockContent | undefined> => {
  try {
    const content = JSON.parse(await readFile(path, 'utf8')) as LockContent;
    return Number.isInteger(content.pid) && content.pid > 0 ? content : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Moves a stale lock away. Two starts may judge the same lock stale: the slower one has moved the winner's lock and
 * must put it back.
 */
const removeStale = async (path: string, ourToken: string, staleToken: string | undefined): Promise<boolean> => {
  const aside = `${path}.stale-${ourToken}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  const moved = await readLock(aside);
  const isStale = moved?.token === staleToken;
  if (!isStale) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
  return isStale;
};

const releaseIfOurs = async (path: string, token: string): Promise<void> => {
  if ((await readLock(path))?.token === token) await rm(path, { force: true });
};

/**
 * Makes this process the only one that works on `dataDir` (created when missing). The lock is a file with the process's
 * id and start mark, so that a lock left by a dead process, or one whose id belongs to another program by now, is taken
 * over.
 * @param onProgress is told when a lock is taken over.
 * @throws EmbeddedStoreError when a live process holds it, this one included.
 */
export const acquireDataDirLock = async (
  dataDir: string,
  onProgress: (line: string) => void = () => {},
): Promise<DataDirLock> => {
  const path = join(resolve(dataDir), fileName);
  const content: LockContent = { pid: process.pid, startMark: processStartMark(process.pid), token: randomUUID() };
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    if (await createWhole(path, content).catch((cause: unknown) => refuseUnwritable(dataDir, cause)))
      return { release: () => releaseIfOurs(path, content.token) };
    const holder = await readLock(path);
    if (holder !== undefined && isHeld(holder)) throw alreadyInUse(dataDir, path, holder.pid);
    if (await removeStale(path, content.token, holder?.token)) {
      onProgress(`Taking over ${dataDir} from process ${holder?.pid ?? '(unknown)'}, which no longer runs.`);
    }
  }
  throw new EmbeddedStoreError(
    `The lock ${path} keeps changing hands: wait until the other starts are over, then start again.`,
  );
};

/** Passes on the end of the process that needed the lock, once the lock is free: only then may it be started again. */
export const releaseAfter = async <T>(ended: Promise<T>, lock: DataDirLock): Promise<T> => {
  const end = await ended;
  await lock.release();
  return end;
};
