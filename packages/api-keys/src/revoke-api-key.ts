import type { Clock, Tx } from '@impact-hub/core';
import { viewOf } from './api-key-view.ts';
import type { KeyMaker } from './create-api-key.ts';
import type { KeyTarget } from './lock-changeable-key.ts';
import { apiKeyNotFound } from './problems.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { findApiKey, lockApiKey, publishApiKeyChange, setRevoked } from './repository.ts';
import type { ApiKeyView } from './schema.ts';

/**
 * Ends a key for good; every process refuses it once the transaction has committed. Revoking again changes nothing.
 * @throws ProblemError `api_keys.not_found`, and whatever `mayChange` throws
 */
export const revokeApiKey = async (
  tx: Tx,
  { clock }: { clock: Clock },
  by: KeyMaker,
  target: KeyTarget & { reason?: string | undefined },
): Promise<ApiKeyView> => {
  const row = await lockApiKey(tx, target.keyId);
  if (row === undefined) throw apiKeyNotFound();
  target.mayChange?.(row);
  const now = clock.now();
  if (row.revokedAt === null) {
    await setRevoked(tx, row, { at: now, by: `${by.actor.kind}:${by.actor.id}`, reason: target.reason ?? null });
    await recordKeyEvent(tx, by, row, {
      type: 'api_key.revoked',
      category: 'security',
      severity: 'warning',
      metadata: { reason: target.reason ?? null },
    });
    await publishApiKeyChange(tx, row.keyId);
  }
  const current = await findApiKey(tx, target.keyId);
  if (current === undefined) throw new Error('a locked key cannot vanish');
  return viewOf(current, now);
};
