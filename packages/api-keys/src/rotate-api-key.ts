import { recordAudit } from '@impact-hub/audit';
import { newId, type Clock, type Tx } from '@impact-hub/core';
import { statusOf, viewOf } from './api-key-view.ts';
import type { KeyMaker } from './create-api-key.ts';
import { composeApiKey, digestApiKey, type RandomBytes } from './key-format.ts';
import type { RotateApiKeyInput, RotatedApiKeyView } from './lifecycle-schema.ts';
import { lockChangeableKey, type KeyTarget } from './lock-changeable-key.ts';
import { apiKeyExpired, rotationOverlaps } from './problems.ts';
import { refuseBeyondMaker } from './refuse-beyond-maker.ts';
import { findApiKey, publishApiKeyChange, updateApiKey } from './repository.ts';
import { deleteSecretsEndedBefore, insertSecret, lockSecrets, setSecretsEnd } from './secret-repository.ts';
import { earlierOf, liveOldSecrets } from './secret-view.ts';
import type { ApiKeyRow, ApiKeySecretRow } from './tables.ts';

/** Long enough to see, after a rotation went wrong, who still used the old secret. */
const endedSecretsKeptMs = 90 * 86_400_000;

type Deps = { clock: Clock; random?: RandomBytes };

/** Ends the current secret after the overlap, or leaves that to the first use of the next one. */
const startOverlap = async (
  tx: Tx,
  key: ApiKeyRow,
  current: ApiKeySecretRow,
  { overlapSeconds, overlapFrom }: RotateApiKeyInput,
  now: Date,
): Promise<Date | null> => {
  if (overlapFrom === 'first_use') return null;
  const wanted = new Date(now.getTime() + overlapSeconds * 1_000);
  const endsAt = earlierOf(wanted, earlierOf(current.expiresAt, key.expiresAt));
  await setSecretsEnd(tx, [current.id], endsAt);
  return endsAt;
};

/**
 * Gives a key a new secret under the same key id; the old one stays valid for the overlap. The answer is the only
 * place where the new key ever appears. The new secret ends with its key; no rotation lets the old one live longer.
 * @throws ProblemError `api_keys.not_found`, `api_keys.revoked`, `api_keys.expired`, `api_keys.beyond_own_access`,
 *   `api_keys.rotation_overlaps` while the secret of an earlier rotation is valid and `force` is not set
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
  const secrets = await lockSecrets(tx, row.id);
  const now = clock.now();
  if (statusOf(row, now) === 'expired') throw apiKeyExpired();
  const overlapping = liveOldSecrets(secrets, now);
  if (overlapping.length > 0 && !rotation.force) throw rotationOverlaps();
  const [current] = secrets;
  if (current === undefined) throw new Error('a key has at least one secret');
  await setSecretsEnd(
    tx,
    overlapping.map(({ id }) => id),
    now,
  );
  const oldSecretExpiresAt = await startOverlap(tx, row, current, rotation, now);
  await deleteSecretsEndedBefore(tx, row.id, new Date(now.getTime() - endedSecretsKeptMs));
  const { overlapSeconds, overlapFrom } = rotation;
  const key = composeApiKey(row.environment, row.keyId, random);
  const added = { id: newId(), apiKeyId: row.id, companyId: row.companyId, createdAt: now };
  const generation = current.generation + 1;
  await insertSecret(
    tx,
    { ...added, generation, overlapSeconds: overlapFrom === 'first_use' ? overlapSeconds : null },
    Buffer.from(digestApiKey(key), 'base64'),
  );
  await updateApiKey(tx, row.id, { updatedAt: now });
  await recordAudit(tx, {
    type: 'api_key.rotated',
    category: 'security',
    actor: by.actor,
    resource: { type: 'api_key', id: row.keyId },
    ...(by.request === undefined ? {} : { request: by.request }),
    changes: { generation: { from: current.generation, to: generation } },
    metadata: {
      name: row.name,
      reason: rotation.reason ?? null,
      overlapSeconds,
      overlapFrom,
      oldSecretExpiresAt,
      endedAtOnce: overlapping.length,
    },
  });
  await publishApiKeyChange(tx, row.keyId);
  const found = await findApiKey(tx, row.keyId);
  if (found === undefined) throw new Error('a locked key cannot vanish');
  return { ...viewOf(found, now), key, oldSecretExpiresAt };
};
