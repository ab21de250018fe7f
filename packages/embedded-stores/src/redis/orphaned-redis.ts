import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedStoreError } from '../embedded-store-error.ts';
import { endProcess, type EndStep } from '../process-end.ts';
import { isProcessAlive, processWorksOn } from '../process-identity.ts';
import { redisProgramNames } from './redis-binary.ts';

/** An orderly end writes the append-only file; then by force. */
export const redisStop: readonly EndStep[] = [
  { signal: 'SIGTERM', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

/**
 * Ends a server that an earlier hub left behind on this directory. Only to be called while holding the lock on it.
 * @throws EmbeddedStoreError when the server does not end.
 */
export const endOrphanedRedis = async (
  dataDir: string,
  configPath: string,
  onProgress: (line: string) => void,
): Promise<void> => {
  const pid = Number(await readFile(join(dataDir, 'redis.pid'), 'utf8').catch(() => '0'));
  if (!Number.isInteger(pid) || pid <= 1 || !isProcessAlive(pid)) return;
  if (!processWorksOn(pid, redisProgramNames, configPath) && !processWorksOn(pid, redisProgramNames, dataDir)) return;
  onProgress(`Stopping the Redis that an earlier hub left running (process ${pid}).`);
  if (await endProcess(pid, redisStop)) return;
  throw new EmbeddedStoreError(`An earlier Redis still holds ${dataDir}: end process ${pid} and start again.`);
};
