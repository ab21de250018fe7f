import type { Clock, Tx } from '@impact-hub/core';
import { eq } from 'drizzle-orm';
import { viewOf } from '../api-key-view.ts';
import type { KeyMaker } from '../create-api-key.ts';
import type { KeyTarget } from '../lock-changeable-key.ts';
import { apiKeyNotFound } from '../problems.ts';
import { recordKeyEvent } from '../record-key-event.ts';
import { findApiKey } from '../repository.ts';
import type { ApiKeyView } from '../schema.ts';
import { apiKeyUsage } from '../tables.ts';

/**
 * Takes the flag off a key after somebody has looked at it. The same network is not flagged again; another one is.
 * Without a flag nothing changes.
 * @throws ProblemError `api_keys.not_found`, and whatever `mayChange` throws
 */
export const dismissAnomaly = async (
  tx: Tx,
  { clock }: { clock: Clock },
  by: Pick<KeyMaker, 'actor' | 'request'>,
  target: KeyTarget,
): Promise<ApiKeyView> => {
  const found = await findApiKey(tx, target.keyId);
  if (found === undefined) throw apiKeyNotFound();
  const { key } = found;
  target.mayChange?.(key);
  const [usage = null] = await tx.orm.select().from(apiKeyUsage).where(eq(apiKeyUsage.apiKeyId, key.id)).for('update');
  const { anomaly, ...view } = viewOf({ key, usage }, clock.now());
  if (anomaly === null) return { ...view, anomaly };
  await tx.orm
    .update(apiKeyUsage)
    .set({ anomalyNetwork: null, anomalyCalls: null, anomalyAt: null })
    .where(eq(apiKeyUsage.apiKeyId, key.id));
  await recordKeyEvent(tx, by, key, {
    type: 'api_key.anomaly_dismissed',
    category: 'security',
    metadata: { ...anomaly },
  });
  return { ...view, anomaly: null };
};
