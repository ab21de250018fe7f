import type { Tx } from '@impact-hub/core';
import { apiKeyNotFound, apiKeyRevoked } from './problems.ts';
import { lockApiKey } from './repository.ts';
import type { ApiKeyRow } from './tables.ts';

/** Which key is to change, and a last word on whether the caller may. */
export type KeyTarget = { keyId: string; mayChange?(key: ApiKeyRow): void };

/**
 * A key of the transaction's company, locked until the transaction ends.
 * @throws ProblemError `api_keys.not_found`, `api_keys.revoked`, and whatever `mayChange` throws
 */
export const lockChangeableKey = async (tx: Tx, target: KeyTarget): Promise<ApiKeyRow> => {
  const row = await lockApiKey(tx, target.keyId);
  if (row === undefined) throw apiKeyNotFound();
  target.mayChange?.(row);
  if (row.revokedAt !== null) throw apiKeyRevoked();
  return row;
};
