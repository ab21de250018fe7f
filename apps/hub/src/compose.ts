import { accountsModule, createAccounts } from '@impact-hub/accounts';
import {
  apiKeysModule,
  createApiKeyVerifier,
  createKeyWatchMetrics,
  createLeakReports,
  type ApiKeysDeps,
} from '@impact-hub/api-keys';
import { auditModule } from '@impact-hub/audit';
import { bindModule, createOutbox, runShutdown, type BoundModule, type ShutdownPhase } from '@impact-hub/core';
import { createAccessPolicy, idempotencyModule, limitsModule } from '@impact-hub/gateway';
import { createImpactIn, impactInModule } from '@impact-hub/impact-in';
import type { Settings } from './config/settings.ts';
import { openEdge } from './open-edge.ts';
import { openFoundation, type ComposeOptions, type Foundation } from './open-foundation.ts';
import { openUpstreams, readUpstreams } from './open-upstreams.ts';
import { openResponseCache } from './open-response-cache.ts';
import { operationsModule } from './operations/operations-module.ts';
import { createStatistics } from './operations/statistics.ts';
import { storesModule } from './system/stores-module.ts';
import { systemModule } from './system/system-module.ts';
import { version } from './version.ts';

export type ComposedHub = Awaited<ReturnType<typeof composeHub>>;

const oidcOf = (settings: Settings) => {
  const { HUB_OIDC_ISSUER: issuer, HUB_OIDC_CLIENT_ID: clientId, HUB_OIDC_CLIENT_SECRET: clientSecret } = settings;
  if (issuer === undefined || clientId === undefined || clientSecret === undefined) return {};
  return { oidc: { issuer, clientId, clientSecret } };
};

const mergeScopes = (modules: readonly { scopes: Readonly<Record<string, string>> }[]): Record<string, string> =>
  Object.assign({}, ...modules.map((module) => module.scopes)) as Record<string, string>;

/** What every process serves, whatever its target. */
const bindSystemModules = (
  { db, redis, metrics, serving }: Foundation,
  { settings, publicUrl, stores }: ComposeOptions,
  modules: () => readonly BoundModule[],
): BoundModule[] => {
  const metricsToken = settings.HUB_METRICS_TOKEN;
  const { warehouse, usesWarehouse } = stores;
  return [
    bindModule(systemModule, { version, publicUrl, modules, metrics, metricsToken, serving }),
    bindModule(storesModule, { systemSql: db.systemSql, redis, warehouse, usesWarehouse }),
  ];
};

const compose = async (options: ComposeOptions, opened: ShutdownPhase[]) => {
  const { settings, publicUrl, log } = options;
  const foundation = await openFoundation(options, opened);
  const { clock, onError, urls, db, redis, metrics, serving, changes, breakers, crypto, derivedSecret } = foundation;
  const ownScopes = mergeScopes([apiKeysModule, accountsModule, auditModule, impactInModule, operationsModule]);
  const upstreamsFile = await readUpstreams(settings.HUB_UPSTREAMS_FILE, Object.keys(ownScopes));
  const scopeCatalogue = mergeScopes([{ scopes: ownScopes }, upstreamsFile]);
  const secret = derivedSecret('sign-in');
  const people = { db, systemUrl: urls.systemUrl, secret, publicUrl, clock, scopeCatalogue, onError };
  const accounts = createAccounts({ ...people, ...oidcOf(settings) });
  opened.push({ name: 'accounts', timeoutMs: 6_000, run: accounts.stop });
  const apiKeys = createApiKeyVerifier({ db, changes, clock, metrics, onError });
  opened.push({ name: 'api-keys', timeoutMs: 5_000, run: apiKeys.stop });
  const { ingestSql } = foundation.connections;
  const outbox = createOutbox({});
  const receiving = { db, changes, crypto, clock, metrics, log, publicUrl, outbox, ingestSql, breakers };
  const allowPrivateAddresses = settings.HUB_PARTNER_PRIVATE_ADDRESSES === 'allow';
  const impactIn = await createImpactIn({ ...receiving, allowPrivateAddresses });
  opened.push({ name: 'impact-in', timeoutMs: 10_000, run: impactIn.stop });

  const keyWatchMetrics = createKeyWatchMetrics(metrics);
  const leakReports = createLeakReports({ policy: settings.HUB_LEAKED_KEY_POLICY, metrics });
  const companyLimitPerMinute = settings.HUB_COMPANY_RATE_LIMIT_PER_MINUTE;
  const routeTable: ApiKeysDeps['routeTable'][number][] = [];
  const modules: BoundModule[] = [];
  const systemModules = bindSystemModules(foundation, options, () => modules);
  const responseCache = openResponseCache({
    db,
    changes,
    redis,
    secret: derivedSecret('response-cache'),
    clock,
    metrics,
    maxEntries: settings.HUB_CACHE_ENTRIES,
    publicUrl,
    modules: () => modules,
    onError,
  });
  opened.push({ name: 'response-cache', timeoutMs: 3_000, run: responseCache.stop });
  const statistics = createStatistics({ changes, metrics }, onError);
  const state = { db, clock, metrics, changes, breakers, responseCache, statistics, version };
  modules.push(
    ...systemModules,
    bindModule(accountsModule, { db, clock, accounts, scopeCatalogue }),
    bindModule(apiKeysModule, { db, clock, scopeCatalogue, routeTable, leakReports, outbox, keyWatchMetrics }),
    bindModule(auditModule, { db }),
    bindModule(impactInModule, impactIn.deps),
    bindModule(idempotencyModule, { db, clock }),
    bindModule(operationsModule, { ...state, modules: () => modules }),
    bindModule(limitsModule, { db, clock, companyLimitPerMinute }),
  );
  const authorize = createAccessPolicy({ apiKeys, accounts, publicUrl });
  const upstreams = openUpstreams({
    path: settings.HUB_UPSTREAMS_FILE,
    file: upstreamsFile,
    modules,
    publicUrl,
    seed: Buffer.from(derivedSecret('upstream-identity'), 'base64url'),
    breakers,
    changes,
    authorize,
    clock,
    metrics,
  });
  opened.push({ name: 'upstreams', timeoutMs: 5_000, run: upstreams.stop });
  modules.push(upstreams.bound);
  routeTable.push(...modules.flatMap(({ module }) => module.routes));
  const routes = modules.flatMap(({ module }) => module.routes);
  const { edge, stop } = openEdge({ foundation, log, apiKeys, responseCache, companyLimitPerMinute, routes });
  opened.push({ name: 'limits', timeoutMs: 1_000, run: stop });
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
export const composeHub = async (options: ComposeOptions) => {
  const opened: ShutdownPhase[] = [];
  try {
    return { ...(await compose(options, opened)), shutdownPhases: opened.toReversed() };
  } catch (error) {
    await runShutdown(opened.toReversed(), options.log);
    throw error;
  }
};
