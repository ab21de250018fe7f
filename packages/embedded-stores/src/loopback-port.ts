import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { EmbeddedStoreError } from './embedded-store-error.ts';

/** Embedded stores are reachable from this machine only. */
export const loopbackHost = '127.0.0.1';

/** What a store wants of its port. `setting` names, for the error message, where a person chose it. */
export type PortRequest = {
  readonly store: string;
  readonly dataDir: string;
  readonly port: number | undefined;
  readonly setting: string;
};

/** False when the port was left to us, so that a lost race for it can be answered by another one. */
export const isChosenByPerson = (request: PortRequest): request is PortRequest & { port: number } => {
  return request.port !== undefined && request.port !== 0;
};

/** The one sentence for a port that somebody else holds. */
export const portTaken = (request: PortRequest): EmbeddedStoreError => {
  return new EmbeddedStoreError(
    `Port ${request.port} on ${loopbackHost}, chosen for the embedded ${request.store} by ${request.setting}, is already in use: ` +
      `end the program that holds it, set ${request.setting} to another port, or unset it to have a free one picked.`,
  );
};

const listenBriefly = (port: number): Promise<number> => {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: loopbackHost, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : port));
    });
  });
};

const isPortFree = async (port: number): Promise<boolean> => {
  return listenBriefly(port).then(
    () => true,
    () => false,
  );
};

/**
 * The port to start a store on: the one asked for, else the one it used last time (so that addresses survive a
 * restart), else a free one.
 * @throws EmbeddedStoreError when the port asked for is taken.
 */
export const choosePort = async (request: PortRequest): Promise<number> => {
  if (isChosenByPerson(request)) {
    if (await isPortFree(request.port)) return request.port;
    throw portTaken(request);
  }
  const previousPort = Number(await readFile(join(request.dataDir, 'port'), 'utf8').catch(() => '0'));
  if (Number.isInteger(previousPort) && previousPort > 0 && previousPort < 65_536 && (await isPortFree(previousPort))) {
    return previousPort;
  }
  return listenBriefly(0);
};

/** Keeps the port for the next start. */
export const rememberPort = async (dataDir: string, port: number): Promise<void> => {
  await writeFile(join(dataDir, 'port'), `${port}\n`);
};
