import type { MetricsRegistry } from '@impact-hub/core';
import { Counter } from 'prom-client';
import { createJwksFetcher } from './fetch-jwks.ts';
import { createJwksCache, type JwksCache } from './jwks-cache.ts';

type Options = { allowPrivateAddresses: boolean; registry: MetricsRegistry; onError(error: unknown): void };

/** The key sets of the endpoints' issuers, fetched over HTTPS, with their metrics. */
export const openKeySets = (options: Options): { jwks: JwksCache; stop(): Promise<void> } => {
  const registers = [options.registry];
  const fetched = new Counter({
    name: 'impact_in_jwks_fetches_total',
    help: "Fetches of issuers' key sets, by result.",
    labelNames: ['result'],
    registers,
  });
  const staleUses = new Counter({
    name: 'impact_in_jwks_stale_uses_total',
    help: 'Tokens checked with a key set that should have been renewed, while its address did not answer.',
    registers,
  });
  const fetcher = createJwksFetcher(options);
  const jwks = createJwksCache({
    fetchJwks: fetcher.fetch,
    nowMs: () => performance.now(),
    onFetched: (result, error) => {
      fetched.inc({ result });
      if (error !== undefined) options.onError(error);
    },
    onStaleUse: () => staleUses.inc(),
  });
  return { jwks, stop: fetcher.stop };
};
