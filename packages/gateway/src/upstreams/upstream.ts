import {
  connectGuarded,
  type AccessPolicy,
  type Breaker,
  type Breakers,
  type ChangeFeed,
  type Clock,
  type LookUp,
  type MetricsRegistry,
} from '@impact-hub/core';
import { Pool } from 'undici';
import type { IdentitySigner } from './identity-signer.ts';
import type { ResponseHeaderRules } from './response-headers.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { targetPathOf } from './target-path.ts';
import type { UpstreamSettings } from './upstream-settings.ts';
import type { SocketWatch } from './watch-sockets.ts';

export type UpstreamDeps = {
  breakers: Pick<Breakers, 'get'>;
  changes: Pick<ChangeFeed, 'subscribe'>;
  /** Asked again for WebSockets, whose keys may have changed or expired. */
  authorize: AccessPolicy;
  checkEveryMs?: number;
  signer: IdentitySigner;
  clock: Clock;
  /** Where browsers reach the hub: WebSockets by cookie have to come from this origin. */
  publicUrl: string;
  metrics: MetricsRegistry;
  /** From 0 to below 1, for the jitter of retries. */
  random(): number;
  lookUp?: LookUp;
};

/** How exchanges ended, by name; read when metrics are scraped. */
export type UpstreamTotals = Record<'answered' | 'failed' | 'refused' | 'aborted' | 'retried', number>;

/** One service behind the hub and all that is kept for it. */
export type Upstream = {
  settings: UpstreamSettings;
  pool: Pool;
  breaker: Breaker;
  budget: RetryBudget;
  headerRules: ResponseHeaderRules;
  targetPath(url: string): string;
  signer: IdentitySigner;
  random(): number;
  publicUrl: string;
  watchSocket: SocketWatch['watch'];
  inFlight: number;
  totals: UpstreamTotals;
};

/** Breakers share their names with other kinds of dependencies. */
export const breakerNameOf = ({ name }: Pick<UpstreamSettings, 'name'>): string => `upstream:${name}`;

export const openUpstream = (
  settings: UpstreamSettings,
  deps: UpstreamDeps,
  watchSocket: SocketWatch['watch'],
): Upstream => {
  const target = new URL(settings.target);
  const { lookUp } = deps;
  return {
    settings,
    pool: new Pool(target.origin, {
      connect: connectGuarded({ ...settings, ...(lookUp === undefined ? {} : { lookUp }) }),
      connections: settings.maxConcurrent,
      headersTimeout: settings.timeoutMs,
      bodyTimeout: settings.idleTimeoutMs,
    }),
    breaker: deps.breakers.get(breakerNameOf(settings), settings.breaker),
    budget: createRetryBudget(),
    headerRules: { target, prefix: settings.prefix, stripPrefix: settings.stripPrefix },
    targetPath: targetPathOf(settings),
    signer: deps.signer,
    random: deps.random,
    publicUrl: deps.publicUrl,
    watchSocket,
    inFlight: 0,
    totals: { answered: 0, failed: 0, refused: 0, aborted: 0, retried: 0 },
  };
};
