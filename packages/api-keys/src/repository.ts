import { and, desc, eq, gt, isNotNull, isNull, lte, or, sql, type SQL } from 'drizzle-orm';
import { newId, publishChange, type Cursor, type Tx } from '@impact-hub/core';
import { apiKey, apiKeySecret, apiKeyUsage, type ApiKeyRow, type ApiKeyUsageRow } from './tables.ts';

export type ApiKeyWithUsage = { key: ApiKeyRow; usage: ApiKeyUsageRow | null };

export type ApiKeyStatus = 'active' | 'disabled' | 'expired' | 'revoked';

/** Topic of the change feed: a key or one of its secrets was made or changed. The key of the change is the key id. */
export const apiKeyTopic = 'api_key';

/** Tells every process that a key changed. Last in its transaction: changes take their turn from here to the commit. */
export const publishApiKeyChange = (tx: Tx, keyId: string): Promise<void> => publishChange(tx, apiKeyTopic, keyId);

/** Adds a key with its first secret and its usage row. */
export const insertApiKey = async (tx: Tx, row: ApiKeyRow, keySha256: Buffer): Promise<void> => {
  await tx.orm.insert(apiKey).values(row);
  await tx.orm.insert(apiKeySecret).values({
    id: newId(),
    apiKeyId: row.id,
    companyId: row.companyId,
    keySha256,
    createdAt: row.createdAt,
    generation: 1,
    callCount: 0,
  });
  await tx.orm.insert(apiKeyUsage).values({ apiKeyId: row.id, companyId: row.companyId, callCount: 0 });
};

/** A key of the transaction's company by its public id. */
export const findApiKey = async (tx: Tx, keyId: string): Promise<ApiKeyWithUsage | undefined> => {
  const [row] = await tx.orm
    .select({ key: apiKey, usage: apiKeyUsage })
    .from(apiKey)
    .leftJoin(apiKeyUsage, eq(apiKeyUsage.apiKeyId, apiKey.id))
    .where(eq(apiKey.keyId, keyId));
  return row;
};

/** The same, locked until the transaction ends: against every change, or with `share` against those of others. */
export const lockApiKey = async (
  tx: Tx,
  keyId: string,
  strength: 'update' | 'share' = 'update',
): Promise<ApiKeyRow | undefined> => {
  const [row] = await tx.orm.select().from(apiKey).where(eq(apiKey.keyId, keyId)).for(strength);
  return row;
};

const hasStatus = (status: ApiKeyStatus, now: Date): SQL | undefined => {
  const live = isNull(apiKey.revokedAt);
  const unexpired = or(isNull(apiKey.expiresAt), gt(apiKey.expiresAt, now));
  switch (status) {
    case 'revoked':
      return isNotNull(apiKey.revokedAt);
    case 'expired':
      return and(live, lte(apiKey.expiresAt, now));
    case 'disabled':
      return and(live, unexpired, eq(apiKey.enabled, false));
    case 'active':
      return and(live, unexpired, eq(apiKey.enabled, true));
  }
};

type Listing = {
  limit: number;
  cursor: Cursor | undefined;
  environment: ApiKeyRow['environment'] | undefined;
  status: ApiKeyStatus | undefined;
  now: Date;
};

/** Keys of the transaction's company, newest first; one row more than `limit` when there are more. */
export const selectApiKeys = async (tx: Tx, listing: Listing): Promise<ApiKeyWithUsage[]> => {
  const { cursor, environment, status, now } = listing;
  return tx.orm
    .select({ key: apiKey, usage: apiKeyUsage })
    .from(apiKey)
    .leftJoin(apiKeyUsage, eq(apiKeyUsage.apiKeyId, apiKey.id))
    .where(
      and(
        cursor === undefined
          ? undefined
          : sql`(${apiKey.createdAt}, ${apiKey.id}) < (${new Date(cursor.atMs).toISOString()}::timestamptz, ${cursor.id}::uuid)`,
        environment === undefined ? undefined : eq(apiKey.environment, environment),
        status === undefined ? undefined : hasStatus(status, now),
      ),
    )
    .orderBy(desc(apiKey.createdAt), desc(apiKey.id))
    .limit(listing.limit + 1);
};

/** What of a key can change after it is made; fields left out stay. */
export type ApiKeyChange = Partial<
  Pick<ApiKeyRow, 'name' | 'enabled' | 'rateLimitPerMinute' | 'expiresAt' | 'allowedIps'>
>;

/** Changes fields of a key. */
export const updateApiKey = async (tx: Tx, id: string, change: ApiKeyChange & { updatedAt: Date }): Promise<void> => {
  await tx.orm.update(apiKey).set(change).where(eq(apiKey.id, id));
};

/** Marks a key as revoked. */
export const setRevoked = async (
  tx: Tx,
  row: ApiKeyRow,
  revocation: { at: Date; by: string; reason: string | null },
): Promise<void> => {
  await tx.orm
    .update(apiKey)
    .set({
      revokedAt: revocation.at,
      revokedBy: revocation.by,
      revokeReason: revocation.reason,
      updatedAt: revocation.at,
    })
    .where(eq(apiKey.id, row.id));
};
