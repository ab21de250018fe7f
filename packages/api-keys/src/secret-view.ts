import type { SecretView } from './lifecycle-schema.ts';
import type { ApiKeyRow, ApiKeySecretRow } from './tables.ts';

/** The earlier of two ends; null never comes. */
export const earlierOf = (a: Date | null, b: Date | null): Date | null => {
  if (a === null || b === null) return a ?? b;
  return a <= b ? a : b;
};

/** Whether a secret is still good at a moment, as far as its own end goes. */
export const isLive = (secret: Pick<ApiKeySecretRow, 'expiresAt'>, now: Date): boolean =>
  secret.expiresAt === null || secret.expiresAt > now;

/** Whether the older secrets stay good until this one is used. */
export const awaitsFirstUse = (secret: Pick<ApiKeySecretRow, 'overlapSeconds' | 'firstUsedAt'>): boolean =>
  secret.overlapSeconds !== null && secret.firstUsedAt === null;

/** Old secrets that are still good. @param secrets newest first */
export const liveOldSecrets = (secrets: readonly ApiKeySecretRow[], now: Date): ApiKeySecretRow[] =>
  secrets.slice(1).filter((secret) => isLive(secret, now));

/** Secrets as the API shows them. @param secrets newest first */
export const secretViewsOf = (
  key: Pick<ApiKeyRow, 'expiresAt'>,
  secrets: readonly ApiKeySecretRow[],
  now: Date,
): SecretView[] => {
  const oldIsLive = liveOldSecrets(secrets, now).length > 0;
  return secrets.map((secret, index) => {
    const expiresAt = earlierOf(secret.expiresAt, key.expiresAt);
    const stateOf = (): SecretView['state'] => {
      if (!isLive({ expiresAt }, now)) return 'ended';
      if (index > 0) return 'old';
      return oldIsLive && awaitsFirstUse(secret) ? 'waiting' : 'current';
    };
    const { id, createdAt, firstUsedAt, lastUsedAt, callCount, leakReportedAt } = secret;
    return { id, createdAt, firstUsedAt, lastUsedAt, calls: callCount, expiresAt, leakReportedAt, state: stateOf() };
  });
};
