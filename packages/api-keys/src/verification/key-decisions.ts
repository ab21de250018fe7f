import { compileIpRanges, type ApiKeyPrincipal, type Clock } from '@impact-hub/core';
import { keyIdOf } from '../key-format.ts';
import type { Usage, UsageRecorder } from '../usage/usage-recorder.ts';
import { createDigestCache } from './digest-cache.ts';
import { judgeKey } from './judge-key.ts';
import type { StoredKey, StoredSecret } from './read-stored-key.ts';
import type { FirstUseRecorder, UnusedSecret } from './record-first-use.ts';
import type { RefusalReason } from './verification-metrics.ts';

type AcceptedKey = { valid: true; principal: ApiKeyPrincipal; apiKeyId: string };
type RefusedKey = { valid: false; reason: RefusalReason; retryAfterSeconds?: number };
export type VerifyResult = AcceptedKey | RefusedKey;

type Known = {
  accepted: AcceptedKey;
  validUntilMs: number;
  /** Null when every address may use the key. */
  allows: ((ip: string) => boolean) | null;
  usage: Usage;
  /** Set until the secret's first use is noted. */
  unused: UnusedSecret | null;
};

export type KeyDecisions = {
  refuse(reason: RefusalReason): RefusedKey;
  /** The answer remembered for a presented key; only for use while changes are heard. */
  recall(digest: string, ip: string): VerifyResult | undefined;
  /** Decides by a stored key that is good to act on now, and remembers the decision. */
  decide(key: StoredKey | null, presented: string, digest: string, ip: string): VerifyResult;
  forget(keyId: string): void;
  forgetAll(): void;
  /** Presented keys that are known to be good. */
  size(): number;
};

const maxCachedKeys = 10_000;
const maxCachedRefusals = 10_000;
const refusalTtlMs = 10_000;

const acceptedOf = (key: StoredKey, secret: StoredSecret): AcceptedKey =>
  Object.freeze({
    valid: true,
    apiKeyId: key.id,
    principal: Object.freeze({
      kind: 'api_key',
      keyId: key.keyId,
      secretId: secret.id,
      companyId: key.companyId,
      environment: key.environment,
      scopes: new Set(key.scopes),
      rateLimitPerMinute: key.rateLimitPerMinute,
    }),
  });

const unusedOf = (key: StoredKey, secret: StoredSecret): UnusedSecret | null =>
  secret.unused ? { secretId: secret.id, apiKeyId: key.id, keyId: key.keyId, companyId: key.companyId } : null;

/** Decides on presented keys and remembers what was decided, by digest. */
export const createKeyDecisions = (deps: {
  clock: Clock;
  count(outcome: 'ok' | RefusalReason): void;
  usages: Pick<UsageRecorder, 'track' | 'count'>;
  firstUses: Pick<FirstUseRecorder, 'note'>;
}): KeyDecisions => {
  const { clock, count, usages, firstUses } = deps;
  const known = createDigestCache<Known>({ maxEntries: maxCachedKeys });
  // A cache of its own, so that junk cannot push good keys out.
  const refused = createDigestCache<RefusedKey>({ maxEntries: maxCachedRefusals, ttlMs: refusalTtlMs });

  const refuse = (reason: RefusalReason): RefusedKey => {
    count(reason);
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
    count('ok');
    return entry.accepted;
  };

  const decide = (key: StoredKey | null, presented: string, digest: string, ip: string): VerifyResult => {
    const judged = judgeKey(key, presented, digest, clock.nowMs());
    if (typeof judged === 'string') {
      refused.set(digest, keyIdOf(presented), { valid: false, reason: judged });
      return refuse(judged);
    }
    const accepted = acceptedOf(judged.key, judged.secret);
    const { id: apiKeyId, companyId, keyId, allowedIps } = judged.key;
    const entry: Known = {
      accepted,
      validUntilMs: judged.validUntilMs,
      allows: allowedIps.length === 0 ? null : compileIpRanges(allowedIps),
      usage: usages.track({ apiKeyId, companyId, secretId: judged.secret.id }, accepted.principal),
      unused: unusedOf(judged.key, judged.secret),
    };
    known.set(digest, keyId, entry);
    return admit(entry, ip);
  };

  return {
    refuse,
    decide,
    recall: (digest, ip) => {
      const entry = known.get(digest);
      if (entry !== undefined) return admit(entry, ip);
      const refusal = refused.get(digest);
      return refusal === undefined ? undefined : refuse(refusal.reason);
    },
    forget: (keyId) => {
      known.forget(keyId);
      refused.forget(keyId);
    },
    forgetAll: () => {
      known.clear();
      refused.clear();
    },
    size: known.size,
  };
};
