import type { Breakers, Clock, Database, Outbox } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { OutboundMetrics } from './outbound-metrics.ts';
import type { AccessTokens } from './sending/access-tokens.ts';
import type { HttpClient } from './sending/http-client.ts';

/** What calls to partners need besides the domain's own; made by `createOutbound`. */
export type Outbound = {
  http: HttpClient;
  tokens: AccessTokens;
  breakers: Pick<Breakers, 'get' | 'list' | 'forget'>;
  metrics: OutboundMetrics;
  /** Whether companies may name addresses of the private network, and plain HTTP. */
  allowPrivateAddresses: boolean;
  /** From 0 to below 1, for the jitter of retries. */
  random(): number;
  retryDelaysSeconds: readonly number[];
  onError(event: string): (error: unknown) => void;
};

export type SendingDeps = { db: Database; crypto: Crypto; clock: Clock; outbox: Outbox; outbound: Outbound };
