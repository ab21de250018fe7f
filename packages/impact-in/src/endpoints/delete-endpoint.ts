import type { Clock, Tx } from '@impact-hub/core';
import type { EndpointMaker } from './create-endpoint.ts';
import { validSets } from './plan-rotation.ts';
import { recordEndpointChange } from './record-endpoint-change.ts';
import { lockEndpoint, updateEndpoint, updateSecrets } from './repository.ts';

/**
 * Deletes an endpoint: from now on its address answers as one that never was. What it received stays to be read and is
 * processed to its end.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`
 */
export const deleteEndpoint = async (
  tx: Tx,
  deps: { clock: Clock },
  maker: EndpointMaker,
  target: { id: string; reason?: string | undefined },
): Promise<{ id: string; deletedAt: Date }> => {
  const { endpoint, secrets, heardAt } = await lockEndpoint(tx, target.id);
  const now = deps.clock.now();
  await updateEndpoint(tx, endpoint.id, { deletedAt: now, updatedAt: now, silentSince: null });
  await updateSecrets(tx, validSets(secrets, now).flat(), { state: 'retired', notAfter: now });
  const { partner, scheme, name, hint } = endpoint;
  await recordEndpointChange(tx, maker, endpoint.id, {
    type: 'impact_in.endpoint.deleted',
    category: 'admin',
    severity: 'warning',
    metadata: { reason: target.reason ?? null, partner, scheme, name, hint, lastReceivedAt: heardAt },
  });
  return { id: endpoint.id, deletedAt: now };
};
