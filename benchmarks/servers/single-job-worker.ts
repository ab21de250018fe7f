import { createLogger } from '@impact-hub/core';
import { startWorkers } from '../../apps/hub/src/start-workers.ts';
import { serveUntilSignal } from './serve-until-signal.ts';

/** The hub's worker without batches: one job is one dispatch and one transaction. */
await serveUntilSignal((hub) => {
  const modules = hub.modules.map(({ module, deps }) => ({
    module: { ...module, jobs: module.jobs.map(({ batch: _batch, ...job }) => job) },
    deps,
  }));
  const log = createLogger({ level: 'warn' });
  const { db, redis, metrics } = hub;
  const redisUrl = process.env['REDIS_URL'] ?? '';
  void startWorkers({ db, modules, redis, redisUrl, jobLeaseSeconds: 60, log, metrics }).then((phases) =>
    hub.shutdownPhases.unshift(...phases),
  );
  return hub.systemModules;
});
