import type { ApiKeyView } from '@impact-hub/api-keys';
import { when } from '../hub-api/print.ts';
import type { Sent } from '../hub-api/sent.ts';

export type Key = Sent<ApiKeyView>;

const anomalyOf = ({ keyId, anomaly }: Key): string | undefined =>
  anomaly === null
    ? undefined
    : `${anomaly.calls} calls within a minute from ${anomaly.network}, flagged ${when(anomaly.at)};` +
      ` if that is as it should be: hub keys dismiss-anomaly ${keyId}`;

/** Names and values of a key for a person; what does not apply is left out. */
export const fieldsOfKey = (key: Key): Record<string, unknown> => {
  const metadata = Object.entries(key.metadata).map(([name, value]) => `${name}=${value}`);
  const fields = {
    'key id': key.keyId,
    name: key.name,
    environment: key.environment,
    status: key.status,
    scopes: key.scopes,
    'calls per minute': key.rateLimitPerMinute,
    'allowed from': key.allowedIps.length === 0 ? 'everywhere' : key.allowedIps,
    metadata: metadata.length === 0 ? undefined : metadata,
    created: `${when(key.createdAt)} by ${key.createdBy}`,
    expires: key.expiresAt === null ? 'never' : when(key.expiresAt),
    revoked: key.revokedAt === null ? undefined : `${when(key.revokedAt)} ${key.revokeReason ?? ''}`,
    'last used': key.usage.lastUsedAt === null ? 'never' : when(key.usage.lastUsedAt),
    'from, with': [key.usage.lastUsedIp, key.usage.lastUserAgent].filter((part) => part !== null),
    calls: key.usage.calls,
    errors: `${key.usage.errors} (${key.usage.rateLimited} of them rate-limited)`,
    anomaly: anomalyOf(key),
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
};
