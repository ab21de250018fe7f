import type { Clock, Tx } from '@impact-hub/core';
import { viewOf } from './api-key-view.ts';
import type { KeyMaker } from './create-api-key.ts';
import type { PatchApiKeyInput } from './lifecycle-schema.ts';
import { lockChangeableKey, type KeyTarget } from './lock-changeable-key.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { refuseBeyondMaker, widens } from './refuse-beyond-maker.ts';
import { refusePastExpiry } from './refuse-past-expiry.ts';
import { findApiKey, publishApiKeyChange, updateApiKey, type ApiKeyChange } from './repository.ts';
import type { ApiKeyView } from './schema.ts';
import type { ApiKeyRow } from './tables.ts';

const comparable = (value: unknown): string => JSON.stringify(value);

/** The fields that would be different, each with its value before and after. */
const differences = (
  row: ApiKeyRow,
  wanted: Omit<PatchApiKeyInput, 'reason'>,
): Record<string, { from: unknown; to: unknown }> =>
  Object.fromEntries(
    Object.entries(wanted)
      .map(([field, to]) => [field, { from: row[field as keyof ApiKeyChange], to }] as const)
      .filter(([, { from, to }]) => to !== undefined && comparable(from) !== comparable(to)),
  );

/**
 * Changes what may be changed of a key. What is already as wanted leaves no trace.
 * @throws ProblemError `api_keys.not_found`, `api_keys.revoked`, `request.invalid` for an expiry in the past,
 *   `api_keys.beyond_own_access` when it would open up the key beyond the caller
 */
export const changeApiKey = async (
  tx: Tx,
  { clock }: { clock: Clock },
  by: KeyMaker,
  target: KeyTarget & { change: PatchApiKeyInput },
): Promise<ApiKeyView> => {
  const row = await lockChangeableKey(tx, target);
  const now = clock.now();
  const { reason, ...wanted } = target.change;
  refusePastExpiry(wanted.expiresAt, now);
  const changes = differences(row, wanted);
  const change = Object.fromEntries(Object.entries(changes).map(([field, { to }]) => [field, to])) as ApiKeyChange;
  const after = { ...row, ...change };
  if (widens(row, after)) refuseBeyondMaker(by, after);
  if (Object.keys(changes).length > 0) {
    await updateApiKey(tx, row.id, { ...change, updatedAt: now });
    await recordKeyEvent(tx, by, row, {
      type: 'api_key.changed',
      category: 'admin',
      ...(change.enabled === false ? { severity: 'warning' as const } : {}),
      changes,
      metadata: { reason: reason ?? null },
    });
    await publishApiKeyChange(tx, row.keyId);
  }
  const current = await findApiKey(tx, row.keyId);
  if (current === undefined) throw new Error('a locked key cannot vanish');
  return viewOf(current, now);
};
