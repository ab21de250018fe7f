import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPartnerApis, type PartnerApis } from '@impact-hub/impact-in';
import { foundCompanies, type ChaosCompany } from './chaos-companies.ts';
import { freePort } from './free-port.ts';
import { startHubProcess, type HubProcess } from './hub-process.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** An embedded hub at a fixed address that can be killed and started again. */
export type EmbeddedHub = {
  dataDir: string;
  baseUrl: string;
  apiKey: string;
  /** Ends the hub's process without a warning and starts it again; its stores stay behind as orphans meanwhile. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
};

/** An embedded hub, a second process on its stores, and partners with APIs to send to. */
export type Installation = EmbeddedHub & {
  /** Where both processes serve. */
  urls: readonly string[];
  second: Pick<EmbeddedHub, 'killAndRestart'>;
  companies: readonly ChaosCompany[];
  /** They live as long as the installation. */
  standIns: PartnerApis;
};

/** The lease is short, so that work of a killed worker is taken up again while the test still watches. */
const shared = { HUB_JOB_LEASE_SECONDS: '2', HUB_PARTNER_PRIVATE_ADDRESSES: 'allow' };

/** Ends what a hub that could not stop by itself has left behind. */
const endLeftovers = async (dataDir: string): Promise<void> => {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (commandLine.includes(dataDir)) process.kill(Number(pid), 'SIGKILL');
  }
};

/** A word that an embedded store keeps in its folder. */
const kept = async (dataDir: string, store: string, word: 'password' | 'port'): Promise<string> =>
  (await readFile(join(dataDir, store, word), 'utf8')).trim();

/** The owner's address of the embedded database: for looking behind the API. */
export const ownerUrlOf = async ({ dataDir }: Pick<EmbeddedHub, 'dataDir'>): Promise<string> => {
  const [password, port] = [await kept(dataDir, 'postgres', 'password'), await kept(dataDir, 'postgres', 'port')];
  return `postgres://hub_owner:${password}@127.0.0.1:${port}/hub`;
};

/** The address of the embedded Redis. */
export const redisUrlOf = async (dataDir: string): Promise<string> =>
  `redis://:${await kept(dataDir, 'redis', 'password')}@127.0.0.1:${await kept(dataDir, 'redis', 'port')}`;

const startAttempts = 20;

/** Starts a process as a supervisor does: again and again, while a store it needs is itself coming back. */
const startPatiently = async (settings: Record<string, string>): Promise<HubProcess> => {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await startHubProcess(settings);
    } catch (error) {
      if (attempt === startAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
};

/** A process that can be killed and started again. */
const supervise = async (settings: Record<string, string>) => {
  let hub = await startPatiently(settings);
  return {
    killAndRestart: async (): Promise<void> => {
      await hub.end('SIGKILL');
      hub = await startPatiently(settings);
    },
    end: () => hub.end('SIGTERM'),
  };
};

/** Starts a fresh embedded hub in a temporary directory. */
export const installHub = async (): Promise<EmbeddedHub> => {
  const directory = await temporaryDirectory();
  const settings = { ...shared, HUB_DATA_DIR: directory.path, HUB_PORT: String(await freePort()) };
  const { killAndRestart, end } = await supervise(settings);
  const { baseUrl, apiKey } = JSON.parse(await readFile(join(directory.path, 'credentials.json'), 'utf8')) as Pick<
    EmbeddedHub,
    'baseUrl' | 'apiKey'
  >;
  const stop = async (): Promise<void> => {
    await end();
    await endLeftovers(directory.path);
    await directory.remove();
  };
  return { dataDir: directory.path, baseUrl, apiKey, killAndRestart, stop };
};

/** Starts an embedded hub, a second process on its stores, and stand-ins of the partners, and makes two companies. */
export const installEverything = async (): Promise<Installation> => {
  const [hub, standIns, port] = await Promise.all([installHub(), startPartnerApis(), freePort()]);
  const { dataDir, baseUrl } = hub;
  const second = await supervise({
    ...shared,
    HUB_PORT: String(port),
    // As behind a load balancer: partners' tokens are of one issuer.
    HUB_PUBLIC_URL: baseUrl,
    DATABASE_URL: await ownerUrlOf(hub),
    REDIS_URL: await redisUrlOf(dataDir),
    HUB_DATA_DIR: join(dataDir, 'second'),
    HUB_ROOT_KEY_FILE: join(dataDir, 'root.key'),
  });
  return {
    ...hub,
    urls: [baseUrl, `http://127.0.0.1:${port}`],
    second,
    companies: await foundCompanies(dataDir, standIns),
    standIns,
    stop: async () => {
      await second.end();
      await Promise.all([hub.stop(), standIns.close()]);
    },
  };
};
