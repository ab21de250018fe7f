import { createHmac } from 'node:crypto';
import { accountsModule, createAccounts } from '@impact-hub/accounts';
import { apiKeysModule, createApiKeyVerifier, type ApiKeysDeps } from '@impact-hub/api-keys';
import { auditModule } from '@impact-hub/audit';
import {
  bindModule,
  connectDatabase,
  connectSql,
  createMetrics,
  createOutbox,
  startChangeFeed,
  systemClock,
  type BoundModule,
  type Logger,
  type ShutdownPhase,
} from '@impact-hub/core';
import { createCrypto } from '@impact-hub/crypto';
import { createAccessPolicy } from '@impact-hub/gateway';
import { createImpactIn, impactInModule } from '@impact-hub/impact-in';
import type { Settings } from './config/settings.ts';
import { connectRedis } from './stores/connect-redis.ts';
import type { Progress, Stores } from './stores/open-stores.ts';
import { prepareDatabase } from './stores/prepare-database.ts';
import { openRootKey } from './stores/root-key.ts';
import { storesModule } from './system/stores-module.ts';
import { systemModule } from './system/system-module.ts';
import { version } from './version.ts';

export type ComposedHub = Awaited<ReturnType<typeof composeHub>>;

/** Four batches at once, and two for the lookups of duplicates behind them. */
const ingestConnections = 6;

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

/**
 * Makes every domain of the hub out of settings and stores: the only place where they meet. Starts the change feed and
 * what the domains keep running; `shutdownPhases` end it in order.
 */
export const composeHub = async ({ settings, publicUrl, stores, log, onProgress }: Options) => {
  const clock = systemClock;
  const rootKey = await openRootKey(settings);
  const urls = await prepareDatabase(settings, stores.ownerUrl, rootKey, onProgress);
  const db = connectDatabase({ ...urls, maxConnections: settings.HUB_DATABASE_POOL_SIZE });
  // Pools of their own: a key is loaded while a job holds a connection, and nothing may delay an acknowledgement.
  const cryptoDb = connectDatabase({ ...urls, maxConnections: 2 });
  const ingestSql = connectSql(urls.systemUrl, {
    maxConnections: ingestConnections,
    applicationName: 'hub-ingest',
    statementTimeoutMs: 10_000,
  });
  const redis = connectRedis(stores.redisUrl, log);
  const metrics = createMetrics();
  const onError = (err: unknown): void => log.warn({ event: 'background.failed', err }, 'background work failed');
  const changes = await startChangeFeed(db.systemSql, onError);

  const scopeCatalogue = mergeScopes([apiKeysModule, accountsModule, auditModule, impactInModule]);
  const crypto = createCrypto({ db: cryptoDb, rootKey, clock });
  const accounts = createAccounts({
    db,
    systemUrl: urls.systemUrl,
    secret: derivedSecret(rootKey, 'sign-in'),
    publicUrl,
    clock,
    scopeCatalogue,
    ...oidcOf(settings),
    onError,
  });
  const apiKeys = createApiKeyVerifier({ db, changes, clock, metrics, onError });
  const impactIn = await createImpactIn({
    db,
    changes,
    crypto,
    clock,
    metrics,
    log,
    publicUrl,
    outbox: createOutbox({}),
    ingestSql,
  });

  const routeTable: ApiKeysDeps['routeTable'][number][] = [];
  const modules: BoundModule[] = [];
  const systemModules = [
    bindModule(systemModule, {
      version,
      publicUrl,
      modules: () => modules,
      metrics,
      metricsToken: settings.HUB_METRICS_TOKEN,
    }),
    bindModule(storesModule, { systemSql: db.systemSql, redis, warehouse: stores.warehouse }),
  ];
  modules.push(
    ...systemModules,
    bindModule(accountsModule, { db, clock, accounts, scopeCatalogue }),
    bindModule(apiKeysModule, { db, clock, scopeCatalogue, routeTable }),
    bindModule(auditModule, { db }),
    bindModule(impactInModule, impactIn.deps),
  );
  routeTable.push(...modules.flatMap(({ module }) => module.routes));

  const shutdownPhases: ShutdownPhase[] = [
    { name: 'impact-in', timeoutMs: 10_000, run: () => impactIn.stop() },
    { name: 'api-keys', timeoutMs: 5_000, run: () => apiKeys.stop() },
    { name: 'accounts', timeoutMs: 6_000, run: () => accounts.stop() },
    { name: 'changes', timeoutMs: 3_000, run: () => changes.stop() },
    {
      name: 'connections',
      timeoutMs: 10_000,
      run: async () => {
        crypto.close();
        redis.disconnect();
        await Promise.all([ingestSql.end({ timeout: 5 }), cryptoDb.close(), db.close()]);
      },
    },
  ];
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
    authorize: createAccessPolicy({ apiKeys, accounts, publicUrl }),
    shutdownPhases,
  };
};
