import {
  defaultRetryDelaysSeconds,
  type Breakers,
  type Clock,
  type LookUp,
  type MetricsRegistry,
  type Sql,
} from '@impact-hub/core';
import type { Outbound } from './outbound-deps.ts';
import { createOutboundMetrics } from './outbound-metrics.ts';
import { createAccessTokens } from './sending/access-tokens.ts';
import { createHttpClient, httpClientDefaults, type HttpClientOptions } from './sending/http-client.ts';

export type OutboundOptions = {
  breakers: Pick<Breakers, 'get' | 'list' | 'forget'>;
  clock: Clock;
  metrics: MetricsRegistry;
  sql: Sql;
  allowPrivateAddresses: boolean;
  onError(event: string): (error: unknown) => void;
  random?: () => number;
  retryDelaysSeconds?: readonly number[];
  http?: Partial<HttpClientOptions>;
  lookUp?: LookUp;
};

/** Opens what calls to partners need. */
export const createOutbound = (options: OutboundOptions): Outbound => {
  const { clock, allowPrivateAddresses, lookUp } = options;
  const http = createHttpClient({
    ...httpClientDefaults,
    ...options.http,
    allowPrivateAddresses,
    ...(lookUp === undefined ? {} : { lookUp }),
  });
  return {
    http,
    tokens: createAccessTokens({ http, clock }),
    breakers: options.breakers,
    metrics: createOutboundMetrics(options.metrics, options.sql),
    allowPrivateAddresses,
    random: options.random ?? Math.random,
    retryDelaysSeconds: options.retryDelaysSeconds ?? defaultRetryDelaysSeconds,
    onError: options.onError,
  };
};
