import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedStoreError } from '../embedded-store-error.ts';
import { endProcess, type EndStep } from '../process-end.ts';
import { isProcessAlive, processWorksOn, programOf } from '../process-identity.ts';

/**
 * Fast shutdown (sessions are ended, everything is written), then immediate (recovers on the next start), then by
 * force: 20 s in all, which a caller's own limit has to exceed.
 */
export const fastStop: readonly EndStep[] = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

export const immediateStop: readonly EndStep[] = fastStop.slice(1);

/**
 * An orphan has nobody to wait for, and one that is asked to end at the beginning of its recovery from a crash may hang
 * (seen with 18.4). What it could not write in time, the next start recovers.
 */
const orphanStop: readonly EndStep[] = [{ signal: 'SIGINT', waitMs: 3_000 }, ...immediateStop];

/** Contents of the server's own lock file. */
export type PostmasterFile = {
  readonly pid: number;
  readonly isReady: boolean;
};

/** Reads postmaster.pid (line 1: process id, line 8: state; see PostgreSQL's `pidfile.h`). */
export const readPostmasterFile = async (clusterDir: string): Promise<PostmasterFile | undefined> => {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 1 ? { pid, isReady: lines[7]?.trim() === 'ready' } : undefined;
};

/**
 * Ends a server that an earlier hub left behind on this cluster. Only to be called while holding the lock on the data
 * directory.
 * @throws EmbeddedStoreError when the server does not end.
 */
export const endOrphanedPostgres = async (clusterDir: string, onProgress: (line: string) => void): Promise<void> => {
  const file = await readPostmasterFile(clusterDir);
  if (file === undefined || !isProcessAlive(file.pid)) return;
  if (processWorksOn(file.pid, ['postgres'], clusterDir)) {
    onProgress(`Stopping the database that an earlier hub left running (process ${file.pid}).`);
    if (await endProcess(file.pid, orphanStop)) return;
    throw new EmbeddedStoreError(
      `An earlier database server still holds ${clusterDir}: end process ${file.pid} and start again.`,
    );
  }
  // PostgreSQL refuses to start while any process of its user has the old id, as happens when a container starts again.
  if (programOf(file.pid) !== undefined && programOf(file.pid) !== 'postgres')
    await rm(join(clusterDir, 'postmaster.pid'), { force: true });
};
