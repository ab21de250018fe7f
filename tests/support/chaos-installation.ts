import { readdir, readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { startHubProcess, type HubProcess } from './hub-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

export type ChaosEndpoint = { partner: string; endpointId: string; url: string; scheme: string } & (
  | { secret: string }
  | { clientId: string; clientSecret: string }
);

/** An embedded hub at a fixed address that can be killed and started again. */
export type Installation = {
  dataDir: string;
  baseUrl: string;
  apiKey: string;
  endpoints: readonly ChaosEndpoint[];
  /** Ends the hub's process without a warning and starts it again; its stores stay behind as orphans meanwhile. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
};

/** Short, so that work of a killed worker is taken up again while the test still watches. */
const jobLeaseSeconds = '2';

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

/** Ends what a hub that could not stop by itself has left behind. */
const endLeftovers = async (dataDir: string): Promise<void> => {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (commandLine.includes(dataDir)) process.kill(Number(pid), 'SIGKILL');
  }
};

/** Starts a fresh installation in a temporary directory. */
export const installHub = async (): Promise<Installation> => {
  const directory = await temporaryDirectory();
  const settings = {
    HUB_DATA_DIR: directory.path,
    HUB_PORT: String(await freePort()),
    HUB_JOB_LEASE_SECONDS: jobLeaseSeconds,
  };
  let hub: HubProcess = await startHubProcess(settings);
  const { baseUrl, apiKey, endpoints } = JSON.parse(
    await readFile(join(directory.path, 'credentials.json'), 'utf8'),
  ) as Pick<Installation, 'baseUrl' | 'apiKey' | 'endpoints'>;
  return {
    dataDir: directory.path,
    baseUrl,
    apiKey,
    endpoints,
    killAndRestart: async () => {
      await hub.end('SIGKILL');
      hub = await startHubProcess(settings);
    },
    stop: async () => {
      await hub.end('SIGTERM');
      await endLeftovers(directory.path);
      await directory.remove();
    },
  };
};

/** The owner's address of the embedded database: for looking behind the API. */
export const ownerUrlOf = async ({ dataDir }: Pick<Installation, 'dataDir'>): Promise<string> => {
  const password = (await readFile(join(dataDir, 'postgres', 'password'), 'utf8')).trim();
  // Line 4 of the server's lock file is its port (PostgreSQL's pidfile.h).
  const port = (await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[3];
  return `postgres://hub_owner:${password}@127.0.0.1:${port}/hub`;
};
