import type { Sql } from '@impact-hub/core';
import type { KeyEnvironment } from '../key-format.ts';

/** `unused`: no use of it has been recorded. */
export type StoredSecret = { id: string; sha256: Buffer; expiresAt: Date | null; unused: boolean };

/** A key as the verifier sees it: read across companies with the system role's narrow grant. */
export type StoredKey = {
  id: string;
  companyId: string;
  keyId: string;
  environment: KeyEnvironment;
  scopes: string[];
  rateLimitPerMinute: number;
  expiresAt: Date | null;
  allowedIps: string[];
  enabled: boolean;
  revokedAt: Date | null;
  secrets: StoredSecret[];
};

type Row = Omit<StoredKey, 'secrets'> & {
  secretId: string;
  sha256: Buffer;
  secretExpiresAt: Date | null;
  unused: boolean;
};

/** Reads a key and all its secrets by the public id. */
export const readStoredKey = async (sql: Sql, keyId: string): Promise<StoredKey | null> => {
  const rows = await sql<Row[]>`
    select k.id, k.company_id as "companyId", k.key_id as "keyId", k.environment, k.scopes,
           k.rate_limit_per_minute as "rateLimitPerMinute", k.expires_at as "expiresAt", k.allowed_ips as "allowedIps",
           k.enabled, k.revoked_at as "revokedAt", s.id as "secretId", s.key_sha256 as sha256, s.expires_at as "secretExpiresAt",
           s.first_used_at is null as unused
    from api_key k join api_key_secret s on s.api_key_id = k.id
    where k.key_id = ${keyId}`;
  const [first] = rows;
  if (first === undefined) return null;
  const { secretId: _, sha256: __, secretExpiresAt: ___, unused: ____, ...key } = first;
  const secrets = rows.map(({ secretId, sha256, secretExpiresAt, unused }) => ({
    id: secretId,
    sha256,
    expiresAt: secretExpiresAt,
    unused,
  }));
  return { ...key, secrets };
};
