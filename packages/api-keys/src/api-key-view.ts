import type { ApiKeyStatus, ApiKeyWithUsage } from './repository.ts';
import type { ApiKeyView } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

/** What a key is at a moment; revoked wins over expired, expired over disabled. */
export const statusOf = (key: Pick<ApiKeyRow, 'revokedAt' | 'expiresAt' | 'enabled'>, now: Date): ApiKeyStatus => {
  if (key.revokedAt !== null) return 'revoked';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  return key.enabled ? 'active' : 'disabled';
};

const anomalyOf = (usage: ApiKeyWithUsage['usage']): ApiKeyView['anomaly'] =>
  usage === null || usage.anomalyNetwork === null || usage.anomalyAt === null
    ? null
    : {
        kind: 'burst_from_new_network',
        network: usage.anomalyNetwork,
        calls: usage.anomalyCalls ?? 0,
        at: usage.anomalyAt,
      };

/** A key as the API shows it. */
export const viewOf = ({ key, usage }: ApiKeyWithUsage, now: Date): ApiKeyView => {
  const { companyId: _, ...shown } = key;
  return {
    ...shown,
    status: statusOf(key, now),
    usage: {
      calls: usage?.callCount ?? 0,
      errors: (usage?.clientErrorCount ?? 0) + (usage?.serverErrorCount ?? 0),
      clientErrors: usage?.clientErrorCount ?? 0,
      serverErrors: usage?.serverErrorCount ?? 0,
      rateLimited: usage?.rateLimitedCount ?? 0,
      lastUsedAt: usage?.lastUsedAt ?? null,
      lastUsedIp: usage?.lastUsedIp ?? null,
      lastUserAgent: usage?.lastUserAgent ?? null,
    },
    anomaly: anomalyOf(usage),
  };
};
