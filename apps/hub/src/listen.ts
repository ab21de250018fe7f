import type { FastifyInstance } from 'fastify';
import { StartError } from './config/load-settings.ts';

const reasons: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (_host, port) => `Port ${port} is taken by another program; end it or set HUB_PORT to a free port.`,
  EACCES: (_host, port) => `This user may not listen on port ${port}; set HUB_PORT to a port above 1023.`,
  EADDRNOTAVAIL: (host) => `This machine has no address ${host}; correct HUB_HOST.`,
  ENOTFOUND: (host) => `The address ${host} is not known; correct HUB_HOST.`,
};

/** Starts listening. @returns the port in use @throws StartError with one plain sentence */
export const listen = async (server: FastifyInstance, host: string, port: number): Promise<number> => {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const explain = reasons[(error as { code?: string }).code ?? ''];
    throw explain === undefined ? error : new StartError(explain(host, port));
  }
  const address = server.server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
};
