import { createHmac } from 'node:crypto';
import { accountsModule, createAccounts } from '@impact-hub/accounts';
import {
  apiKeysModule,
  createApiKeyVerifier,
  createKeyWatchMetrics,
  createLeakReports,
  type ApiKeysDeps,
} from '@impact-hub/api-keys';
import { auditModule } from '@impact-hub/audit';
import {
  bindModule,
  createBreakers,
  createMetrics,
  createOutbox,
  createServing,
  runShutdown,
  startChangeFeed,
  systemClock,
  type BoundModule,
  type Edge,
  type Logger,
  type ShutdownPhase,
} from '@impact-hub/core';
import { createCrypto } from '@impact-hub/crypto';
import {
  createAccessPolicy,
  createIdempotency,
  createLimits,
  idempotencyModule,
  limitsModule,
} from '@impact-hub/gateway';
import { createImpactIn, impactInModule } from '@impact-hub/impact-in';
import type { Settings } from './config/settings.ts';
import { openUpstreams, readUpstreams } from './open-upstreams.ts';
import { openResponseCache } from './open-response-cache.ts';
import { operationsModule } from './operations/operations-module.ts';
import { createStatistics } from './operations/statistics.ts';
import { openConnections } from './stores/open-connections.ts';
import type { Progress, Stores } from './stores/open-stores.ts';
import { prepareDatabase } from './stores/prepare-database.ts';
import { openRootKey } from './stores/root-key.ts';
import { storesModule } from './system/stores-module.ts';
import { systemModule } from './system/system-module.ts';
import { version } from './version.ts';

export type ComposedHub = Awaited<ReturnType<typeof composeHub>>;

type Options = { settings: Settings; publicUrl: string; stores: Stores; log: Logger; onProgress: Progress };

/** Secrets that only have to be the same in all processes are derived from the root key, one per purpose. */
const derivedSecret = (rootKey: Buffer, purpose: string): string =>
  createHmac('sha256', rootKey).update(purpose).digest('base64url');

const oidcOf = (settings: Settings) => {
  const { HUB_OIDC_ISSUER: issuer, HUB_OIDC_CLIENT_ID: clientId, HUB_OIDC_CLIENT_SECRET: clientSecret } = settings;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return {};
  return { oidc: { issuer, clientId, clientSecret } };
};

const mergeScopes = (modules: readonly { scopes: Readonly<Record<string, string>> }[]): Record<string, string> =>
  Object.assign({}, ...modules.map((module) => module.scopes)) as Record<string, string>;

const compose = async ({ settings, publicUrl, stores, log, onProgress }: Options, opened: ShutdownPhase[]) => {
  const clock = systemClock;
  const onError = (err: unknown): void => log.warn({ event: 'background.failed', err }, 'background work failed');
  const rootKey = await openRootKey(settings);
  const urls = await prepareDatabase(settings, stores.ownerUrl, rootKey, onProgress);
  const connections = openConnections(settings, urls, stores.redisUrl, log);
  opened.push({ name: 'connections', timeoutMs: 10_000, run: connections.close });
  const { db, redis } = connections;
  const metrics = createMetrics();
  const serving = createServing(
    {
      maxEventLoopDelayMs: settings.HUB_MAX_EVENT_LOOP_DELAY_MS,
      maxConcurrentRequests: settings.HUB_MAX_CONCURRENT_REQUESTS,
    },
    metrics,
  );
  opened.push({ name: 'serving', timeoutMs: 1_000, run: async () => serving.stop() });
  const changes = await startChangeFeed(db, { onError, redis, metrics });
  opened.push({ name: 'changes', timeoutMs: 3_000, run: changes.stop });
  const breakers = createBreakers({ redis, clock, metrics, log });
  opened.push({ name: 'breakers', timeoutMs: 1_000, run: async () => breakers.stop() });
  const crypto = createCrypto({ db: connections.cryptoDb, rootKey, clock });
  opened.push({ name: 'crypto', timeoutMs: 1_000, run: async () => crypto.close() });

  const ownScopes = mergeScopes([apiKeysModule, accountsModule, auditModule, impactInModule, operationsModule]);
  const upstreamsFile = await readUpstreams(settings.HUB_UPSTREAMS_FILE, Object.keys(ownScopes));
  const scopeCatalogue = mergeScopes([{ scopes: ownScopes }, upstreamsFile]);
  const secret = derivedSecret(rootKey, 'sign-in');
  const people = { db, systemUrl: urls.systemUrl, secret, publicUrl, clock, scopeCatalogue, onError };
  const accounts = createAccounts({ ...people, ...oidcOf(settings) });
  opened.push({ name: 'accounts', timeoutMs: 6_000, run: accounts.stop });
  const apiKeys = createApiKeyVerifier({ db, changes, clock, metrics, onError });
  opened.push({ name: 'api-keys', timeoutMs: 5_000, run: apiKeys.stop });
  const { ingestSql } = connections;
  const outbox = createOutbox({});
  const impactIn = await createImpactIn({ db, changes, crypto, clock, metrics, log, publicUrl, outbox, ingestSql });
  opened.push({ name: 'impact-in', timeoutMs: 10_000, run: impactIn.stop });

  const keyWatchMetrics = createKeyWatchMetrics(metrics);
  const leakReports = createLeakReports({ policy: settings.HUB_LEAKED_KEY_POLICY, metrics });
  const companyLimitPerMinute = settings.HUB_COMPANY_RATE_LIMIT_PER_MINUTE;
  const routeTable: ApiKeysDeps['routeTable'][number][] = [];
  const modules: BoundModule[] = [];
  const metricsToken = settings.HUB_METRICS_TOKEN;
  const systemModules = [
    bindModule(systemModule, { version, publicUrl, modules: () => modules, metrics, metricsToken, serving }),
    bindModule(storesModule, {
      systemSql: db.systemSql,
      redis,
      warehouse: stores.warehouse,
      usesWarehouse: stores.usesWarehouse,
    }),
  ];
  const responseCache = openResponseCache({
    db,
    changes,
    redis,
    secret: derivedSecret(rootKey, 'response-cache'),
    clock,
    metrics,
    maxEntries: settings.HUB_CACHE_ENTRIES,
    publicUrl,
    modules: () => modules,
    onError,
  });
  opened.push({ name: 'response-cache', timeoutMs: 3_000, run: responseCache.stop });
  const operations = {
    db,
    clock,
    metrics,
    changes,
    breakers,
    responseCache,
    statistics: createStatistics({ changes, metrics }, onError),
    version,
    modules: () => modules,
  };
  modules.push(
    ...systemModules,
    bindModule(accountsModule, { db, clock, accounts, scopeCatalogue }),
    bindModule(apiKeysModule, { db, clock, scopeCatalogue, routeTable, leakReports, outbox, keyWatchMetrics }),
    bindModule(auditModule, { db }),
    bindModule(impactInModule, impactIn.deps),
    bindModule(idempotencyModule, { db, clock }),
    bindModule(operationsModule, operations),
    bindModule(limitsModule, { db, clock, companyLimitPerMinute }),
  );
  const upstreams = openUpstreams({
    path: settings.HUB_UPSTREAMS_FILE,
    file: upstreamsFile,
    modules,
    publicUrl,
    seed: Buffer.from(derivedSecret(rootKey, 'upstream-identity'), 'base64url'),
    breakers,
    clock,
    metrics,
  });
  opened.push({ name: 'upstreams', timeoutMs: 5_000, run: upstreams.stop });
  modules.push(upstreams.bound);
  routeTable.push(...modules.flatMap(({ module }) => module.routes));
  const authorize = createAccessPolicy({ apiKeys, accounts, publicUrl });
  const idempotency = createIdempotency({ db, clock, metrics, secret: derivedSecret(rootKey, 'idempotency') });
  const limits = createLimits({ redis, db, changes, clock, log, metrics, companyLimitPerMinute });
  opened.push({ name: 'limits', timeoutMs: 1_000, run: limits.stop });
  responseCache.follow(modules.flatMap(({ module }) => module.routes));
  const edge: Edge = {
    limit: limits.limit,
    around: (call) => idempotency.around(call) ?? responseCache.around(call),
    finished: apiKeys.finished,
  };
  return {
    db,
    redis,
    metrics,
    clock,
    crypto,
    scopeCatalogue,
    impactIn,
    modules,
    systemModules,
    authorize,
    edge,
    responseCache,
    serving,
    breakers,
  };
};

/**
 * Makes every domain of the hub out of settings and stores: the only place where they meet. Starts the change feed and
 * what the domains keep running; `shutdownPhases` end it in order. When it fails half-way, what was opened is closed.
 */
export const composeHub = async (options: Options) => {
  const opened: ShutdownPhase[] = [];
  try {
    return { ...(await compose(options, opened)), shutdownPhases: opened.toReversed() };
  } catch (error) {
    await runShutdown(opened.toReversed(), options.log);
    throw error;
  }
};
