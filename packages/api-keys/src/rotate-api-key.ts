import { newId, type Clock, type Tx } from '@impact-hub/core';
import { statusOf, viewOf } from './api-key-view.ts';
import type { KeyMaker } from './create-api-key.ts';
import { composeApiKey, digestApiKey, type RandomBytes } from './key-format.ts';
import type { RotateApiKeyInput, RotatedApiKeyView } from './lifecycle-schema.ts';
import { lockChangeableKey, type KeyTarget } from './lock-changeable-key.ts';
import { planRotation } from './plan-rotation.ts';
import { apiKeyExpired } from './problems.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { refuseBeyondMaker } from './refuse-beyond-maker.ts';
import { findApiKey, publishApiKeyChange, updateApiKey } from './repository.ts';
import { deleteSecretsEndedBefore, insertSecret, lockSecrets, setSecretsEnd } from './secret-repository.ts';

/** Long enough to see, after a rotation went wrong, who still used the old secret. */
const endedSecretsKeptMs = 90 * 86_400_000;

type Deps = { clock: Clock; random?: RandomBytes };

/**
 * Gives a key a new secret under the same key id; the old one stays valid for the overlap. The answer is the only
 * place where the new key ever appears. The new secret ends with its key; no rotation lets the old one live longer.
 * @throws ProblemError `api_keys.not_found`, `api_keys.revoked`, `api_keys.expired`, `api_keys.beyond_own_access`,
 *   `api_keys.rotation_overlaps` while two secrets that were used are valid and `force` is not set
 */
export const rotateApiKey = async (
  tx: Tx,
  { clock, random }: Deps,
  by: KeyMaker,
  target: KeyTarget & { rotation: RotateApiKeyInput },
): Promise<RotatedApiKeyView> => {
  const { rotation } = target;
  const row = await lockChangeableKey(tx, target);
  refuseBeyondMaker(by, row);
  // After the locks: the new secret must not begin before the state it follows.
  const [newest, ...others] = await lockSecrets(tx, row.id);
  const now = clock.now();
  if (statusOf(row, now) === 'expired') throw apiKeyExpired();
  if (newest === undefined) throw new Error('a key has at least one secret');
  const { old, ending, ...plan } = planRotation(row, [newest, ...others], rotation, now);
  await setSecretsEnd(tx, ending, now);
  await setSecretsEnd(tx, [old], plan.oldSecretExpiresAt);
  await deleteSecretsEndedBefore(tx, row.id, new Date(now.getTime() - endedSecretsKeptMs));
  const key = composeApiKey(row.environment, row.keyId, random);
  const added = { id: newId(), apiKeyId: row.id, companyId: row.companyId, createdAt: now };
  const generation = newest.generation + 1;
  const overlapSeconds = plan.overlapFrom === 'first_use' ? plan.overlapSeconds : null;
  await insertSecret(tx, { ...added, generation, overlapSeconds }, Buffer.from(digestApiKey(key), 'base64'));
  await updateApiKey(tx, row.id, { updatedAt: now });
  await recordKeyEvent(tx, by, row, {
    type: 'api_key.rotated',
    category: 'security',
    changes: { generation: { from: newest.generation, to: generation } },
    metadata: { reason: rotation.reason ?? null, ...plan, endedAtOnce: ending.length },
  });
  await publishApiKeyChange(tx, row.keyId);
  const found = await findApiKey(tx, row.keyId);
  if (found === undefined) throw new Error('a locked key cannot vanish');
  const { oldSecretExpiresAt, replacesUnused: replacedUnused } = plan;
  return { ...viewOf(found, now), key, oldSecretExpiresAt, replacedUnused };
};
