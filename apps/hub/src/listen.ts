import { createServer, type AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { StartError } from './config/load-settings.ts';
import type { Settings } from './config/settings.ts';

const reasons: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (_host, port) => `Port ${port} is taken by another program; end it or set HUB_PORT to a free port.`,
  EACCES: (_host, port) => `This user may not listen on port ${port}; set HUB_PORT to a port above 1023.`,
  EADDRNOTAVAIL: (host) => `This machine has no address ${host}; correct HUB_HOST.`,
  ENOTFOUND: (host) => `The address ${host} is not known; correct HUB_HOST.`,
};

const explained = (error: unknown, host: string, port: number): unknown => {
  const explain = reasons[(error as { code?: string }).code ?? ''];
  return explain === undefined ? error : new StartError(explain(host, port));
};

/**
 * The port to use, found out before anything is started: addresses are needed while the hub is put together, and a
 * taken port should be reported before a database has been initialised.
 *
 * @throws StartError with one plain sentence
 */
export const claimPort = (host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(explained(error, host, port)));
    probe.listen({ host, port }, () => {
      const claimed = (probe.address() as AddressInfo).port;
      probe.close(() => resolve(claimed));
    });
  });

/** Starts listening. @throws StartError with one plain sentence */
export const listen = async (server: FastifyInstance, host: string, port: number): Promise<void> => {
  try {
    await server.listen({ host, port });
  } catch (error) {
    throw explained(error, host, port);
  }
};

/** The address people and partners use; without a setting, the one the hub listens on. */
export const publicUrlOf = (settings: Settings): string => {
  if (settings.HUB_PUBLIC_URL !== undefined) return settings.HUB_PUBLIC_URL.replace(/\/+$/, '');
  const isWildcard = settings.HUB_HOST === '0.0.0.0' || settings.HUB_HOST === '::';
  const host = isWildcard ? 'localhost' : settings.HUB_HOST;
  return `http://${host.includes(':') ? `[${host}]` : host}:${settings.HUB_PORT}`;
};
