import type { Clock, Tx } from '@impact-hub/core';
import type { EndpointMaker } from './create-endpoint.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { validSets } from './plan-rotation.ts';
import { onlySecret, secretNotFound } from './problems.ts';
import { recordEndpointChange } from './record-endpoint-change.ts';
import { findEndpoint, lockEndpoint, updateEndpoint, updateSecrets } from './repository.ts';
import type { EndpointView } from './schema.ts';

type Deps = { clock: Clock; publicUrl: string };

/**
 * Ends a secret now, and what was made with it. Retiring the newest one takes its rotation back: the one before stays
 * valid without an end. A secret that has ended already is left as it is.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`, `impact_in.secret_not_found`, `impact_in.only_secret`
 */
export const retireSecret = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  target: { id: string; secretId: string; reason?: string | undefined },
): Promise<EndpointView> => {
  const found = await lockEndpoint(tx, target.id);
  const now = deps.clock.now();
  if (!found.secrets.some(({ id }) => id === target.secretId)) throw secretNotFound();
  const [newest = [], ...older] = validSets(found.secrets, now);
  const ending = [newest, ...older].find((set) => set.some(({ id }) => id === target.secretId));
  if (ending === undefined) return viewEndpoint(found, deps);
  if (older.length === 0) throw onlySecret();
  const takesBack = ending === newest;
  await updateSecrets(tx, ending, { state: 'retired', notAfter: now });
  if (takesBack) await updateSecrets(tx, older[0] ?? [], { state: 'active', notAfter: null });
  await updateEndpoint(tx, target.id, { updatedAt: now });
  await recordEndpointChange(tx, maker, target.id, {
    type: 'impact_in.endpoint.secret_retired',
    category: 'security',
    metadata: {
      reason: target.reason ?? null,
      secretIds: ending.map(({ id }) => id),
      rotationTakenBack: takesBack,
      lastMatchedAt: ending.map(({ lastMatchedAt }) => lastMatchedAt),
    },
  });
  const after = await findEndpoint(tx, target.id);
  if (after === undefined) throw new Error('a locked endpoint cannot vanish');
  return viewEndpoint(after, deps);
};
