import { and, asc, desc, eq, inArray, lt } from 'drizzle-orm';
import type { Tx } from '@impact-hub/core';
import { apiKeySecret, type ApiKeySecretRow } from './tables.ts';

/** All but the hash, which is for the verifier. */
const columns = {
  id: apiKeySecret.id,
  apiKeyId: apiKeySecret.apiKeyId,
  companyId: apiKeySecret.companyId,
  createdAt: apiKeySecret.createdAt,
  firstUsedAt: apiKeySecret.firstUsedAt,
  expiresAt: apiKeySecret.expiresAt,
  generation: apiKeySecret.generation,
  overlapSeconds: apiKeySecret.overlapSeconds,
  callCount: apiKeySecret.callCount,
  lastUsedAt: apiKeySecret.lastUsedAt,
  leakReportedAt: apiKeySecret.leakReportedAt,
};

/** The secrets of a key, newest first. */
export const selectSecrets = (tx: Tx, apiKeyId: string): Promise<ApiKeySecretRow[]> =>
  tx.orm
    .select(columns)
    .from(apiKeySecret)
    .where(eq(apiKeySecret.apiKeyId, apiKeyId))
    .orderBy(desc(apiKeySecret.generation));

/** The same, locked until the transaction ends: in the order of ids, as everybody who locks several. */
export const lockSecrets = async (tx: Tx, apiKeyId: string): Promise<ApiKeySecretRow[]> => {
  const rows = await tx.orm
    .select(columns)
    .from(apiKeySecret)
    .where(eq(apiKeySecret.apiKeyId, apiKeyId))
    .orderBy(asc(apiKeySecret.id))
    .for('update');
  return rows.toSorted((a, b) => b.generation - a.generation);
};

/** Adds a secret to an existing key. */
export const insertSecret = async (
  tx: Tx,
  row: Pick<ApiKeySecretRow, 'id' | 'apiKeyId' | 'companyId' | 'createdAt' | 'generation' | 'overlapSeconds'>,
  keySha256: Buffer,
): Promise<void> => {
  await tx.orm.insert(apiKeySecret).values({ ...row, keySha256, callCount: 0 });
};

/** Sets the end of secrets. */
export const setSecretsEnd = async (
  tx: Tx,
  secrets: readonly Pick<ApiKeySecretRow, 'id'>[],
  expiresAt: Date | null,
): Promise<void> => {
  const ids = secrets.map(({ id }) => id);
  if (ids.length > 0) await tx.orm.update(apiKeySecret).set({ expiresAt }).where(inArray(apiKeySecret.id, ids));
};

/** Marks a secret as seen in public. */
export const setLeakReported = async (tx: Tx, id: string, at: Date): Promise<void> => {
  await tx.orm.update(apiKeySecret).set({ leakReportedAt: at }).where(eq(apiKeySecret.id, id));
};

/** Removes secrets of a key that ended before a time. */
export const deleteSecretsEndedBefore = async (tx: Tx, apiKeyId: string, before: Date): Promise<void> => {
  await tx.orm.delete(apiKeySecret).where(and(eq(apiKeySecret.apiKeyId, apiKeyId), lt(apiKeySecret.expiresAt, before)));
};
