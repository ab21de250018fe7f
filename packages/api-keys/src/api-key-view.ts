import type { ApiKeyStatus, ApiKeyWithUsage } from './repository.ts';
import type { ApiKeyView } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

/** What a key is at a moment; revoked wins over expired, expired over disabled. */
export const statusOf = (key: Pick<ApiKeyRow, 'revokedAt' | 'expiresAt' | 'enabled'>, now: Date): ApiKeyStatus => {
  if (key.revokedAt !== null) return 'revoked';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  return key.enabled ? 'active' : 'disabled';
};

/** A key as the API shows it. */
export const viewOf = ({ key, usage }: ApiKeyWithUsage, now: Date): ApiKeyView => {
  const { companyId: _, ...shown } = key;
  return {
    ...shown,
    status: statusOf(key, now),
    usage: {
      calls: usage?.callCount ?? 0,
      lastUsedAt: usage?.lastUsedAt ?? null,
      lastUsedIp: usage?.lastUsedIp ?? null,
    },
  };
};
