import type { Clock, Tx } from '@impact-hub/core';
import type { KeyMaker } from './create-api-key.ts';
import type { RetiredView } from './lifecycle-schema.ts';
import { lockChangeableKey, type KeyTarget } from './lock-changeable-key.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { publishApiKeyChange } from './repository.ts';
import { lockSecrets, setSecretsEnd } from './secret-repository.ts';
import { liveOldSecrets } from './secret-view.ts';

const recentlyMs = 3_600_000;

/**
 * Ends every old secret of a key now; the current one stays. Doing so again changes nothing.
 * @throws ProblemError `api_keys.not_found`, `api_keys.revoked`
 */
export const retireOldSecrets = async (
  tx: Tx,
  { clock }: { clock: Clock },
  by: KeyMaker,
  target: KeyTarget & { reason?: string | undefined },
): Promise<RetiredView> => {
  const row = await lockChangeableKey(tx, target);
  const secrets = await lockSecrets(tx, row.id);
  const now = clock.now();
  const ending = liveOldSecrets(secrets, now);
  const uses = ending.flatMap(({ lastUsedAt }) => (lastUsedAt === null ? [] : [lastUsedAt.getTime()]));
  const oldSecretLastUsedAt = uses.length === 0 ? null : new Date(Math.max(...uses));
  const inUse = oldSecretLastUsedAt !== null && now.getTime() - oldSecretLastUsedAt.getTime() < recentlyMs;
  if (ending.length > 0) {
    await setSecretsEnd(tx, ending, now);
    await recordKeyEvent(tx, by, row, {
      type: 'api_key.old_secrets_retired',
      category: 'security',
      metadata: { reason: target.reason ?? null, endedCount: ending.length, oldSecretLastUsedAt },
    });
    await publishApiKeyChange(tx, row.keyId);
  }
  const warning = inUse
    ? 'An old secret was used within the last hour: whoever still sends it is refused from now on.'
    : null;
  return { keyId: row.keyId, endedSecrets: ending.length, oldSecretLastUsedAt, warning };
};
