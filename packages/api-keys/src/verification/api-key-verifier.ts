import { timingSafeEqual } from 'node:crypto';
import {
  compileIpRanges,
  coreProblems,
  type ApiKeyPrincipal,
  type ChangeFeed,
  type Clock,
  type Database,
  type MetricsRegistry,
} from '@impact-hub/core';
import { digestApiKey, environmentOf, inspectApiKey, keyIdOf } from '../key-format.ts';
import { apiKeyTopic } from '../repository.ts';
import { createUsageRecorder, type Usage, type UsageRecorder } from '../usage/usage-recorder.ts';
import { createDigestCache } from './digest-cache.ts';
import { createKeyIdDirectory } from './key-id-directory.ts';
import { createKeyReader } from './key-reader.ts';
import { createLookUpLimits, type LookUp } from './look-up-limits.ts';
import { readStoredKey, type StoredKey, type StoredSecret } from './read-stored-key.ts';
import { createFirstUseRecorder, type UnusedSecret } from './record-first-use.ts';
import { createVerificationMetrics, type RefusalReason } from './verification-metrics.ts';

type AcceptedKey = { valid: true; principal: ApiKeyPrincipal; apiKeyId: string };
type RefusedKey = { valid: false; reason: RefusalReason; retryAfterSeconds?: number };
export type VerifyResult = AcceptedKey | RefusedKey;

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

type Known = {
  accepted: AcceptedKey;
  /** The earlier of the key's and the secret's expiry. */
  validUntilMs: number;
  /** Null when every address may use the key. */
  allows: ((ip: string) => boolean) | null;
  usage: Usage;
  /** Set until the secret's first use is noted. */
  unused: UnusedSecret | null;
};

type Decision = { result: VerifyResult; isGood: boolean };

const maxCachedKeys = 10_000;
const maxCachedRefusals = 10_000;
const refusalTtlMs = 10_000;

/** A key that changes each time it is read, or a database that takes seconds each time, is nothing to wait for. */
const maxReads = 5;

const isPast = (at: Date | null, nowMs: number): boolean => at !== null && at.getTime() <= nowMs;

const acceptedOf = (key: StoredKey): AcceptedKey =>
  Object.freeze({
    valid: true,
    apiKeyId: key.id,
    principal: Object.freeze({
      kind: 'api_key',
      keyId: key.keyId,
      companyId: key.companyId,
      environment: key.environment,
      scopes: new Set(key.scopes),
      rateLimitPerMinute: key.rateLimitPerMinute,
    }),
  });

/** Holds a presented key against what is stored. Every secret is compared, in constant time. */
const judge = (
  key: StoredKey | null,
  presented: string,
  digest: string,
  nowMs: number,
): RefusalReason | { key: StoredKey; secret: StoredSecret; validUntilMs: number } => {
  if (key === null) return 'unknown';
  const sha256 = Buffer.from(digest, 'base64');
  const [secret] = key.secrets.filter((candidate) => timingSafeEqual(candidate.sha256, sha256));
  if (secret === undefined || key.environment !== environmentOf(presented)) return 'wrong_secret';
  if (key.revokedAt !== null) return 'revoked';
  if (!key.enabled) return 'disabled';
  if (isPast(key.expiresAt, nowMs) || isPast(secret.expiresAt, nowMs)) return 'expired';
  return {
    key,
    secret,
    validUntilMs: Math.min(key.expiresAt?.getTime() ?? Infinity, secret.expiresAt?.getTime() ?? Infinity),
  };
};

const unusedOf = (key: StoredKey, secret: StoredSecret): UnusedSecret | null =>
  secret.unused ? { secretId: secret.id, apiKeyId: key.id, keyId: key.keyId, companyId: key.companyId } : null;

/**
 * Verifies presented keys: shape, checksum, digest, cache, and only then the database. What is cached lives until the
 * change feed says that the key changed, and is not used at all while the feed cannot prove that it hears changes.
 */
export const createApiKeyVerifier = (options: ApiKeyVerifierOptions): ApiKeyVerifier => {
  const { db, changes, clock, onError = () => undefined } = options;
  const known = createDigestCache<Known>({ maxEntries: maxCachedKeys });
  // A cache of its own, so that junk cannot push good keys out.
  const refused = createDigestCache<RefusedKey>({ maxEntries: maxCachedRefusals, ttlMs: refusalTtlMs });
  const metrics = createVerificationMetrics(options.metrics, {
    cached: () => known.size(),
    knownIds: () => directory.size(),
  });
  const nowMs = (): number => performance.now();
  const directory = createKeyIdDirectory({ sql: db.systemSql, nowMs, onError });
  const limits = createLookUpLimits(directory, nowMs);
  const usages = createUsageRecorder({
    sql: db.systemSql,
    clock,
    metrics: options.metrics,
    flushIntervalMs: options.usageFlushIntervalMs ?? 1_000,
    onError,
  });
  const firstUses = createFirstUseRecorder({ db, onError });
  const reader = createKeyReader((keyId) => {
    metrics.read();
    return readStoredKey(db.systemSql, keyId);
  }, clock.nowMs);
  const forget = (keyId: string): void => {
    reader.invalidate(keyId);
    known.forget(keyId);
    refused.forget(keyId);
    directory.add(keyId);
  };
  changes.subscribe(apiKeyTopic, forget, () => {
    reader.invalidateAll();
    known.clear();
    refused.clear();
    directory.clear();
  });

  const refuse = (reason: RefusalReason): RefusedKey => {
    metrics.outcome(reason);
    return { valid: false, reason };
  };

  const admit = (entry: Known, ip: string): VerifyResult => {
    const nowMs = clock.nowMs();
    if (nowMs >= entry.validUntilMs) return refuse('expired');
    if (entry.allows !== null && !entry.allows(ip)) return refuse('ip_not_allowed');
    usages.count(entry.usage, nowMs, ip);
    if (entry.unused !== null) {
      firstUses.note(entry.unused, nowMs);
      entry.unused = null;
    }
    metrics.outcome('ok');
    return entry.accepted;
  };

  /** Decides by a key that is good to act on now, and remembers the decision. */
  const decide = (key: StoredKey | null, presented: string, digest: string, ip: string): Decision => {
    const judged = judge(key, presented, digest, clock.nowMs());
    if (typeof judged === 'string') {
      refused.set(digest, keyIdOf(presented), { valid: false, reason: judged });
      return { result: refuse(judged), isGood: false };
    }
    const accepted = acceptedOf(judged.key);
    const { id: apiKeyId, companyId } = judged.key;
    const entry: Known = {
      accepted,
      validUntilMs: judged.validUntilMs,
      allows: judged.key.allowedIps.length === 0 ? null : compileIpRanges(judged.key.allowedIps),
      usage: usages.track({ apiKeyId, companyId, secretId: judged.secret.id }, accepted.principal),
      unused: unusedOf(judged.key, judged.secret),
    };
    known.set(digest, judged.key.keyId, entry);
    return { result: admit(entry, ip), isGood: true };
  };

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
      const { result, isGood } = decide(read.key, presented, digest, ip);
      lookUp.end(isGood ? 'good' : 'wrong', read.key !== null);
      return result;
    }
    throw coreProblems.databaseUnavailable({ headers: { 'retry-after': '2' } });
  };

  const verifyByReading = async (presented: string, digest: string, ip: string): Promise<VerifyResult> => {
    const lookUp = await limits.begin(ip, keyIdOf(presented));
    if (typeof lookUp === 'number') return { ...refuse('too_many_misses'), retryAfterSeconds: lookUp };
    try {
      return await readAndDecide(presented, digest, ip, lookUp);
    } catch (error) {
      lookUp.end('failed', false);
      throw error;
    }
  };

  return {
    verify: (presented, ip) => {
      const shape = inspectApiKey(presented);
      if (shape !== 'well_formed') return refuse(shape);
      const digest = digestApiKey(presented);
      if (changes.isCurrent()) {
        const entry = known.get(digest);
        if (entry !== undefined) return admit(entry, ip);
        const refusal = refused.get(digest);
        if (refusal !== undefined) return refuse(refusal.reason);
        const key = reader.remembered(keyIdOf(presented));
        if (key !== undefined) return decide(key, presented, digest, ip).result;
      }
      return verifyByReading(presented, digest, ip);
    },
    finished: usages.finished,
    flushUsage: usages.flush,
    stop: async () => {
      await firstUses.stop();
      await usages.stop();
    },
  };
};
