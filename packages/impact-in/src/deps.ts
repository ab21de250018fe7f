import type { Clock, Database, Outbox } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { EndpointDirectory } from './endpoints/endpoint-directory.ts';
import type { HeardEndpoints } from './endpoints/note-heard-endpoints.ts';
import type { MatchedSecrets } from './endpoints/note-matched-secrets.ts';
import type { ConfirmEvent } from './confirmation/confirm-event.ts';
import type { Outbound } from './outbound/outbound-deps.ts';
import type { RefillingBudgets } from './inbox/refilling-budgets.ts';
import type { Inbox } from './inbox/open-inbox.ts';
import type { Records } from './receipts/records.ts';
import type { ReplayMetrics } from './replay/replay-metrics.ts';
import type { JwksCache } from './verification/jwks-cache.ts';
import type { TokenUses } from './verification/token-uses.ts';

/** What the domain's routes, jobs and schedules need; made by `createImpactIn`. */
export type ImpactInDeps = {
  db: Database;
  crypto: Crypto;
  outbox: Outbox;
  clock: Clock;
  /** Without a slash at the end; the addresses of receivers and the issuer of tokens are made from it. */
  publicUrl: string;
  endpoints: EndpointDirectory;
  matchedSecrets: MatchedSecrets;
  heardEndpoints: HeardEndpoints;
  inbox: Inbox;
  /** How often companies may try their endpoints. */
  pings: RefillingBudgets;
  jwks: JwksCache;
  tokenUses: TokenUses;
  /** Whether companies may name addresses inside the operator's network, over plain HTTP as well. */
  allowPrivateAddresses: boolean;
  confirmEvent: ConfirmEvent;
  replayMetrics: ReplayMetrics;
  outbound: Outbound;
  records: Records;
};
