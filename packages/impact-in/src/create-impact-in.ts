import type { Breakers, ChangeFeed, Clock, Database, Logger, MetricsRegistry, Outbox, Sql } from '@impact-hub/core';
import type { Crypto } from '@impact-hub/crypto';
import type { ConfirmEvent } from './confirmation/confirm-event.ts';
import type { ImpactInDeps } from './deps.ts';
import { openEndpointDirectory } from './endpoints/endpoint-directory.ts';
import { createEndpointLoader } from './endpoints/load-endpoints.ts';
import { createHeardEndpoints } from './endpoints/note-heard-endpoints.ts';
import { createMatchedSecrets } from './endpoints/note-matched-secrets.ts';
import { createPingBudgets } from './endpoints/ping/ping-budgets.ts';
import { registerSilenceMetrics } from './endpoints/silence/silence-metrics.ts';
import type { GroupCommitLimits } from './inbox/group-commit.ts';
import { openInbox } from './inbox/open-inbox.ts';
import { createReceiptDays } from './inbox/receipt-days.ts';
import { openKeySets } from './verification/open-key-sets.ts';
import { createTokenUses } from './verification/token-uses.ts';
import { createConfirmEvent } from './outbound/confirm-event.ts';
import { createOutbound, type OutboundOptions } from './outbound/create-outbound.ts';
import { createRecords, type RetentionDays } from './receipts/records.ts';
import { createReplayMetrics, readReplayFigures } from './replay/replay-metrics.ts';

export type ImpactInOptions = {
  db: Database;
  changes: Pick<ChangeFeed, 'subscribe'>;
  crypto: Crypto;
  clock: Clock;
  metrics: MetricsRegistry;
  log: Pick<Logger, 'warn'>;
  publicUrl: string;
  outbox: Outbox;
  /**
   * A pool of the system role for the receipts alone, at least six connections, so that no other work can delay an
   * acknowledgement; default `db.systemSql`.
   */
  ingestSql?: Sql;
  inboxLimits?: Partial<GroupCommitLimits>;
  /** Whether companies may name addresses inside the operator's network, over plain HTTP as well; default false. */
  allowPrivateAddresses?: boolean;
  breakers: Pick<Breakers, 'get' | 'list' | 'forget'>;
  /** What tests set of calls to partners. */
  outbound?: Partial<OutboundOptions>;
  /** How long what is kept, where not as by default. */
  retention?: Partial<RetentionDays>;
  /** Asks the partner's API about an event that nobody signed; by default through the company's connection to it. */
  confirmEvent?: ConfirmEvent;
};

export type ImpactIn = {
  deps: ImpactInDeps;
  /** Commits what was taken and ends; call it after the server has stopped. */
  stop(): Promise<void>;
};

/** Opens the inbox and loads the endpoints; resolves when webhooks can be received. */
export const createImpactIn = async (options: ImpactInOptions): Promise<ImpactIn> => {
  const { db, crypto, clock, outbox, log } = options;
  const onError = (event: string) => (err: unknown) => log.warn({ event, err }, event);
  const ingestSql = options.ingestSql ?? db.systemSql;
  const loader = createEndpointLoader({
    sql: db.systemSql,
    crypto,
    clock,
    onSecretUnreadable: (secretId, err) =>
      log.warn({ event: 'impact_in.secret_unreadable', secretId, err }, 'a secret cannot be opened'),
  });
  const endpoints = await openEndpointDirectory({
    loader,
    changes: options.changes,
    onError: onError('impact_in.endpoints_not_loaded'),
  });
  const { allowPrivateAddresses = false } = options;
  const outbound = createOutbound({
    breakers: options.breakers,
    clock,
    metrics: options.metrics,
    sql: db.systemSql,
    allowPrivateAddresses,
    onError,
    ...options.outbound,
  });
  const confirmEvent = options.confirmEvent ?? createConfirmEvent({ db, crypto, clock, outbound });
  const keySets = openKeySets({
    allowPrivateAddresses,
    registry: options.metrics,
    onError: onError('impact_in.jwks_not_fetched'),
  });
  registerSilenceMetrics(options.metrics, endpoints);
  const matchedSecrets = createMatchedSecrets(db.systemSql, onError('impact_in.matched_secrets_not_written'));
  const heardEndpoints = createHeardEndpoints(db.systemSql, onError('impact_in.heard_endpoints_not_written'));
  const inbox = await openInbox({
    sql: ingestSql,
    registry: options.metrics,
    onError: onError('impact_in.flush_failed'),
    ...(options.inboxLimits === undefined ? {} : { limits: options.inboxLimits }),
  });
  // Not being able to is no reason to refuse to start: the DEFAULT partition takes the rows.
  await createReceiptDays(db.systemSql).catch(onError('impact_in.receipt_days_not_created'));
  return {
    deps: {
      db,
      crypto,
      outbox,
      clock,
      publicUrl: options.publicUrl.replace(/\/+$/, ''),
      endpoints,
      matchedSecrets,
      heardEndpoints,
      inbox,
      pings: createPingBudgets(),
      jwks: keySets.jwks,
      tokenUses: createTokenUses(db.systemSql),
      allowPrivateAddresses,
      confirmEvent,
      outbound,
      records: createRecords({ registry: options.metrics, crypto, sql: db.systemSql }, options.retention),
      replayMetrics: createReplayMetrics(options.metrics, () => readReplayFigures(db.systemSql)),
    },
    stop: async () => {
      await inbox.stop();
      await matchedSecrets.stop();
      await heardEndpoints.stop();
      await endpoints.stop();
      await keySets.stop();
      await outbound.http.close();
    },
  };
};
