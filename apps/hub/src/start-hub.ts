import {
  buildHttpServer,
  createHttpMetrics,
  drainServer,
  runShutdown,
  trackConnections,
  type Logger,
  type Serving,
  type ShutdownPhase,
} from '@impact-hub/core';
import { composeHub, type ComposedHub } from './compose.ts';
import { hasEmbeddedPostgres, type Settings } from './config/settings.ts';
import { describeDamage } from './check-credentials.ts';
import { credentialsFile, updateBaseUrl } from './credentials.ts';
import { createFirstCompany, extendFirstKey } from './first-company.ts';
import { registerDocsPage } from './docs-page.ts';
import { claimPort, listen, publicUrlOf } from './listen.ts';
import { startWorkers } from './start-workers.ts';
import { openStores, type Progress, type Stores } from './stores/open-stores.ts';
import { runsJobs, servesApi, type Target } from './target.ts';

export type RunningHub = {
  url: string;
  /** Set when this process keeps the embedded installation's credentials. */
  credentialsFile: string | undefined;
  /** Ends in order; resolves with false when a phase failed. */
  stop(): Promise<boolean>;
  /** Ends the stores at once and the process with them, for the operator who asked twice. */
  stopNow(): void;
};

type Options = { settings: Settings; target: Target; log: Logger; onProgress: Progress; signal: AbortSignal };

const startServing = async (hub: ComposedHub, { settings, target, log }: Options) => {
  const modules = servesApi(target) ? hub.modules : hub.systemModules;
  const server = buildHttpServer({
    modules,
    authorize: hub.authorize,
    edge: hub.edge,
    log,
    metrics: createHttpMetrics(hub.metrics),
    trustProxy: settings.HUB_TRUST_PROXY,
    serving: hub.serving,
    https: publicUrlOf(settings).startsWith('https:'),
  });
  await registerDocsPage(server);
  const connections = trackConnections(server);
  await listen(server, settings.HUB_HOST, settings.HUB_PORT);
  if (servesApi(target)) void hub.responseCache.warmUp((url) => server.inject({ method: 'GET', url }));
  return { server, connections };
};

/**
 * Longer than `keepalive_timeout` in deploy/nginx/impact-hub.conf, so that nginx is who closes idle connections. Without
 * a drain a person waits at a terminal: they end at once.
 */
const idleGraceMs = (drainMs: number): number => Math.min(drainMs, 5_000);
/** Longer than the slowest handler may take. */
const inFlightMs = 10_000;

const httpPhase = (
  { server, connections }: Awaited<ReturnType<typeof startServing>>,
  serving: Serving,
  drainSeconds: number,
): ShutdownPhase => {
  const drainMs = drainSeconds * 1_000;
  const times = { drainMs, idleGraceMs: idleGraceMs(drainMs), inFlightMs };
  return {
    name: 'http',
    timeoutMs: drainMs + times.idleGraceMs + inFlightMs + 5_000,
    run: () => drainServer(server, serving, connections, times),
  };
};

/** Creates the first company of an embedded installation, before the port opens. */
const welcome = async (
  hub: ComposedHub,
  baseUrl: string,
  { settings, onProgress }: Options,
): Promise<string | undefined> => {
  if (!hasEmbeddedPostgres(settings)) return undefined;
  const dataDir = settings.HUB_DATA_DIR;
  if (await createFirstCompany(hub, { dataDir, baseUrl })) {
    // The change feed would tell, but some milliseconds too late for the first webhook.
    await hub.impactIn.deps.endpoints.reload();
    onProgress('first company, administrator, API key and partner endpoints created');
    return credentialsFile(dataDir);
  }
  const damage = await describeDamage(dataDir);
  if (damage !== undefined) {
    onProgress(damage);
    return undefined;
  }
  await updateBaseUrl(dataDir, baseUrl);
  await extendFirstKey(hub, dataDir);
  return credentialsFile(dataDir);
};

const startInStores = async (stores: Stores, options: Options): Promise<RunningHub> => {
  const { settings, target, log, onProgress } = options;
  const publicUrl = publicUrlOf(settings);
  const hub = await composeHub({ settings, publicUrl, stores, log, onProgress });
  const phases: ShutdownPhase[] = [];
  const ending: ShutdownPhase[] = [
    ...hub.shutdownPhases,
    { name: 'stores', timeoutMs: 30_000, run: () => stores.stop() },
  ];
  try {
    const file = servesApi(target) ? await welcome(hub, publicUrl, options) : undefined;
    phases.push(httpPhase(await startServing(hub, options), hub.serving, settings.HUB_DRAIN_SECONDS));
    if (runsJobs(target))
      phases.push(
        ...(await startWorkers({
          db: hub.db,
          modules: hub.modules,
          redis: hub.redis,
          redisUrl: stores.redisUrl,
          jobLeaseSeconds: settings.HUB_JOB_LEASE_SECONDS,
          log,
          metrics: hub.metrics,
        })),
      );
    return {
      url: publicUrl,
      credentialsFile: file,
      stop: () => runShutdown([...phases, ...ending], log),
      stopNow: () => void stores.stop().finally(() => process.exit(1)),
    };
  } catch (error) {
    await runShutdown([...phases, ...hub.shutdownPhases], log);
    throw error;
  }
};

/**
 * Opens the stores, brings the schema up to date, composes the domains and starts what the target asks for.
 * @returns undefined when the signal aborted the start; everything started so far has then ended again
 * @throws StartError, EmbeddedStoreError with one plain sentence
 */
export const startHub = async (given: Options): Promise<RunningHub | undefined> => {
  const port = await claimPort(given.settings.HUB_HOST, given.settings.HUB_PORT);
  const options = { ...given, settings: { ...given.settings, HUB_PORT: port } };
  const stores = await openStores(options.settings, options.log, options.onProgress);
  try {
    if (options.signal.aborted) {
      await stores.stop();
      return undefined;
    }
    const hub = await startInStores(stores, options);
    if (!options.signal.aborted) return hub;
    await hub.stop();
    return undefined;
  } catch (error) {
    await stores.stop();
    throw error;
  }
};
