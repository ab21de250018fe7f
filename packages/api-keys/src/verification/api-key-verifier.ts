import { coreProblems, type ChangeFeed, type Clock, type Database, type MetricsRegistry } from '@impact-hub/core';
import { apiKeyLength, digestApiKey, inspectApiKey, keyIdOf } from '../key-format.ts';
import { apiKeyTopic } from '../repository.ts';
import { createUsageRecorder, type UsageRecorder } from '../usage/usage-recorder.ts';
import { createKeyDecisions, type VerifyResult } from './key-decisions.ts';
import { createKeyIdDirectory } from './key-id-directory.ts';
import { createKeyReader } from './key-reader.ts';
import { createLookUpLimits, type LookUp } from './look-up-limits.ts';
import { readStoredKey } from './read-stored-key.ts';
import { createFirstUseRecorder } from './record-first-use.ts';
import { createVerificationMetrics } from './verification-metrics.ts';

export type { VerifyResult } from './key-decisions.ts';

export type ApiKeyVerifier = {
  /** Synchronous when the key is known to this process; otherwise one shared read by key id. */
  verify(presented: string, ip: string): VerifyResult | Promise<VerifyResult>;
  /** Counts the answer to a request with a verified key; for the edge. */
  finished: UsageRecorder['finished'];
  /** Writes the usage counted since the last flush. */
  flushUsage(): Promise<void>;
  stop(): Promise<void>;
};

export type ApiKeyVerifierOptions = {
  db: Pick<Database, 'systemSql' | 'system'>;
  changes: Pick<ChangeFeed, 'subscribe' | 'isCurrent'>;
  clock: Clock;
  metrics: MetricsRegistry;
  onError?(error: unknown): void;
  usageFlushIntervalMs?: number;
};

/** A good key from a wrong address is no guess. */
const isWrong = (result: VerifyResult): boolean => !result.valid && result.reason !== 'ip_not_allowed';

/** A key that changes each time it is read, or a database that takes seconds each time, is nothing to wait for. */
const maxReads = 5;

/**
 * Verifies presented keys: digest, cache, shape, checksum, and only then the database. What is cached lives until the
 * change feed says that the key changed, and is not used at all while the feed cannot prove that it hears changes.
 */
export const createApiKeyVerifier = (options: ApiKeyVerifierOptions): ApiKeyVerifier => {
  const { db, changes, clock, onError = () => undefined } = options;
  const nowMs = (): number => performance.now();
  const directory = createKeyIdDirectory({ sql: db.systemSql, nowMs, onError });
  const limits = createLookUpLimits(directory, nowMs);
  const metrics = createVerificationMetrics(options.metrics, {
    cached: () => decisions.size(),
    knownIds: () => directory.size(),
  });
  const usages = createUsageRecorder({
    sql: db.systemSql,
    clock,
    metrics: options.metrics,
    flushIntervalMs: options.usageFlushIntervalMs ?? 1_000,
    onError,
  });
  const firstUses = createFirstUseRecorder({ db, onError });
  const decisions = createKeyDecisions({ clock, count: metrics.outcome, usages, firstUses });
  const load = (keyId: string) => {
    metrics.read();
    return readStoredKey(db.systemSql, keyId);
  };
  const reader = createKeyReader(load, clock.nowMs);

  const forget = (keyId: string): void => {
    reader.invalidate(keyId);
    decisions.forget(keyId);
    directory.add(keyId);
  };
  changes.subscribe(apiKeyTopic, forget, () => {
    reader.invalidateAll();
    decisions.forgetAll();
    directory.clear();
  });

  const readAndDecide = async (
    presented: string,
    digest: string,
    ip: string,
    lookUp: LookUp,
  ): Promise<VerifyResult> => {
    for (let reads = 1; reads <= maxReads; reads += 1) {
      const read = await reader.read(keyIdOf(presented), { join: changes.isCurrent() });
      // Nothing may be waited for between this question and the decision.
      if (!read.isFresh()) continue;
      const result = decisions.decide(read.key, presented, digest, ip);
      lookUp.end(isWrong(result) ? 'wrong' : 'good', read.key !== null);
      return result;
    }
    throw coreProblems.databaseUnavailable({ headers: { 'retry-after': '2' } });
  };

  const verifyByReading = async (presented: string, digest: string, ip: string): Promise<VerifyResult> => {
    const lookUp = await limits.begin(ip, keyIdOf(presented));
    if (typeof lookUp === 'number') return { ...decisions.refuse('too_many_misses'), retryAfterSeconds: lookUp };
    try {
      return await readAndDecide(presented, digest, ip, lookUp);
    } catch (error) {
      lookUp.end('failed', false);
      throw error;
    }
  };

  return {
    verify: (presented, ip) => {
      if (presented.length !== apiKeyLength) return decisions.refuse('malformed');
      const digest = digestApiKey(presented);
      const isCurrent = changes.isCurrent();
      // Before the shape is looked at: only well-formed keys are ever remembered.
      const recalled = isCurrent ? decisions.recall(digest, ip) : undefined;
      if (recalled !== undefined) return recalled;
      const shape = inspectApiKey(presented);
      if (shape !== 'well_formed') return decisions.refuse(shape);
      const key = isCurrent ? reader.remembered(keyIdOf(presented)) : undefined;
      return key === undefined ? verifyByReading(presented, digest, ip) : decisions.decide(key, presented, digest, ip);
    },
    finished: usages.finished,
    flushUsage: usages.flush,
    stop: async () => {
      await firstUses.stop();
      await usages.stop();
    },
  };
};
