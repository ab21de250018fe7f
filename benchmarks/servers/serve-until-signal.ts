import type { AddressInfo } from 'node:net';
import { buildHttpServer, createHttpMetrics, createLogger, runShutdown, type BoundModule } from '@impact-hub/core';
import { composeHub, type ComposedHub } from '../../apps/hub/src/compose.ts';
import { loadSettings } from '../../apps/hub/src/config/load-settings.ts';
import { openStores } from '../../apps/hub/src/stores/open-stores.ts';

/**
 * Serves the hub composed as in production, after `change` has had its way with it, until SIGTERM.
 * @param change may swap parts; returns the modules to serve
 */
export const serveUntilSignal = async (change: (hub: ComposedHub) => readonly BoundModule[]): Promise<void> => {
  const settings = loadSettings(process.env);
  const log = createLogger({ level: settings.HUB_LOG_LEVEL });
  const ignore = (): void => undefined;
  const stores = await openStores(settings, log, ignore);
  const hub = await composeHub({ settings, publicUrl: 'http://127.0.0.1', stores, log, onProgress: ignore });
  const server = buildHttpServer({
    modules: change(hub),
    authorize: hub.authorize,
    edge: hub.edge,
    serving: hub.serving,
    log,
    metrics: createHttpMetrics(hub.metrics),
  });
  await server.listen({ host: settings.HUB_HOST, port: settings.HUB_PORT });
  process.stderr.write(`ready at http://127.0.0.1:${(server.server.address() as AddressInfo).port} (benchmark)\n`);
  process.once('SIGTERM', () => {
    void server
      .close()
      .then(() => runShutdown(hub.shutdownPhases, log))
      .then(() => stores.stop())
      .then(() => process.exit(0));
  });
};
