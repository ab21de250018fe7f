import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedRedis } from '@impact-hub/embedded-stores';

/** A Redis server of one test's own, for tests that end it, freeze it or empty it. Nothing is kept on disk. */
export const startOwnRedis = async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'hub-test-redis-'));
  let server = await startEmbeddedRedis({ dataDir, persistence: false });
  return {
    url: server.url,
    /** Ends it as a crash does. */
    kill: async (): Promise<void> => {
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
    },
    /** Starts it again at the same address, empty. */
    restart: async (): Promise<void> => {
      server = await startEmbeddedRedis({ dataDir, persistence: false });
    },
    /** It keeps its connections and answers nothing. */
    freeze: (): void => void process.kill(server.pid, 'SIGSTOP'),
    thaw: (): void => void process.kill(server.pid, 'SIGCONT'),
    close: async (): Promise<void> => {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
};
