import type { AuditActor } from '@impact-hub/audit';
import type { Clock, Tx } from '@impact-hub/core';
import { eq } from 'drizzle-orm';
import { statusOf } from './api-key-view.ts';
import { keyIdOf } from './key-format.ts';
import { recordKeyEvent } from './record-key-event.ts';
import { lockApiKey, publishApiKeyChange } from './repository.ts';
import { apiKey } from './tables.ts';

/**
 * Gives a key of all scopes those that came into being after it was made. Only a key that `actor`, the hub itself,
 * made and that is active; any other is left as it is.
 * @returns whether the key was changed
 */
export const addNewScopes = async (
  tx: Tx,
  deps: { clock: Clock; scopeCatalogue: Readonly<Record<string, string>> },
  actor: AuditActor,
  key: string,
): Promise<boolean> => {
  const now = deps.clock.now();
  const row = await lockApiKey(tx, keyIdOf(key));
  if (row === undefined || row.createdBy !== `${actor.kind}:${actor.id}` || statusOf(row, now) !== 'active')
    return false;
  const scopes = [...new Set([...row.scopes, ...Object.keys(deps.scopeCatalogue)])].sort();
  if (scopes.length === row.scopes.length) return false;
  await tx.orm.update(apiKey).set({ scopes, updatedAt: now }).where(eq(apiKey.id, row.id));
  await recordKeyEvent(tx, { actor }, row, {
    type: 'api_key.changed',
    category: 'admin',
    changes: { scopes: { from: row.scopes, to: scopes } },
    metadata: { reason: 'a release or an upstream brought new scopes' },
  });
  await publishApiKeyChange(tx, row.keyId);
  return true;
};
