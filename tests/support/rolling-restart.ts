import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import { runHubCommand, startHubProcess, type HubProcess } from './hub-process.ts';
import { startRollingLoad, watchReadiness, type Backend, type LoadReport } from './rolling-load.ts';

type Endpoint = { partner: PartnerName; endpointId: string; scheme: SchemeName; secret?: string };
type Gateway = { url: string; restart(): Promise<void>; end(): Promise<unknown> };

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const startGateway = async (settings: Record<string, string>): Promise<Gateway> => {
  const ownSettings = { ...settings, HUB_PORT: String(await freePort()) };
  const start = (): Promise<HubProcess> => startHubProcess(ownSettings, ['start', '--target=gateway']);
  let hub = await start();
  return {
    url: `http://127.0.0.1:${ownSettings.HUB_PORT}`,
    restart: async () => {
      const code = await hub.end('SIGTERM');
      if (code !== 0) throw new Error(`the gateway ended with ${code}:\n${hub.progress()}`);
      hub = await start();
    },
    end: () => hub.end('SIGTERM'),
  };
};

/** A read with the API key, and every other time a signed event that has to be stored. */
const callsOf = (apiKey: string, endpoint: Endpoint) => (number: number) => {
  if (number % 2 === 0) return { method: 'GET', path: '/api/v1/company', headers: { 'x-api-key': apiKey } } as const;
  const { partner, endpointId, scheme, secret = '' } = endpoint;
  const { body, eventId } = makeEvent(partner, { seed: `rolling ${number}`, nowMs: Date.now() });
  const { headers } = signRequest({ scheme, secret, body, eventId, nowMs: Date.now() });
  return { method: 'POST', path: `/webhooks/${partner}/${endpointId}`, headers, body, id: eventId } as const;
};

/**
 * Two gateways and a worker on the given stores under constant load; each gateway is restarted in turn.
 * @param inFront puts a load balancer before the gateways; left out, the clients watch `/ready` and choose themselves
 */
export const runRollingRestarts = async (options: {
  settings: Record<string, string>;
  rounds: number;
  clients: number;
  inFront?(urls: readonly string[]): Promise<{ url: string; stop(): Promise<void> }>;
}): Promise<LoadReport & { restarts: number }> => {
  const { settings, rounds, clients, inFront } = options;
  const setup = await runHubCommand(['setup'], settings);
  if (setup.code !== 0) throw new Error(`the setup ended with ${setup.code}: ${setup.stderr}`);
  const credentials = JSON.parse(await readFile(join(settings['HUB_DATA_DIR'] ?? '', 'credentials.json'), 'utf8')) as {
    apiKey: string;
    endpoints: Endpoint[];
  };
  const endpoint = credentials.endpoints.find(({ secret }) => secret !== undefined);
  if (endpoint === undefined) throw new Error('the installation has no endpoint with a secret');
  const [worker, ...gateways] = await Promise.all([
    startHubProcess({ ...settings, HUB_PORT: '0' }, ['start', '--target=worker']),
    startGateway(settings),
    startGateway(settings),
  ]);
  const front = await inFront?.(gateways.map(({ url }) => url));
  const urls = front === undefined ? gateways.map(({ url }) => url) : [front.url];
  const backends: Backend[] = urls.map((url) => ({ url, ready: true }));
  const readiness = front === undefined ? watchReadiness(backends) : undefined;
  const load = startRollingLoad(backends, clients, callsOf(credentials.apiKey, endpoint));
  let restarts = 0;
  try {
    for (let round = 0; round < rounds; round += 1)
      for (const gateway of gateways) {
        await pause(500);
        // As whoever restarts them in production: never the next one before all are known to serve.
        while (!backends.every(({ ready }) => ready)) await pause(50);
        await gateway.restart();
        restarts += 1;
      }
    await pause(500);
  } finally {
    await load.stop();
    readiness?.stop();
    await front?.stop();
    await Promise.all([worker.end('SIGTERM'), ...gateways.map((gateway) => gateway.end())]);
  }
  return { ...load.report, restarts };
};
