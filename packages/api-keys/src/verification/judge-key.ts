import { timingSafeEqual } from 'node:crypto';
import { environmentOf } from '../key-format.ts';
import type { StoredKey, StoredSecret } from './read-stored-key.ts';
import type { RefusalReason } from './verification-metrics.ts';

/** A presented key that is good until the earlier of the key's and the secret's expiry. */
type GoodKey = { key: StoredKey; secret: StoredSecret; validUntilMs: number };

const isPast = (at: Date | null, nowMs: number): boolean => at !== null && at.getTime() <= nowMs;

/** Holds a presented key against what is stored. Every secret is compared, in constant time. */
export const judgeKey = (
  key: StoredKey | null,
  presented: string,
  digest: string,
  nowMs: number,
): RefusalReason | GoodKey => {
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
