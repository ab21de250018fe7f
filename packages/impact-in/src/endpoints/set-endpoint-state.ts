import type { Clock, Tx } from '@impact-hub/core';
import type { EndpointMaker } from './create-endpoint.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { recordEndpointChange } from './record-endpoint-change.ts';
import { lockEndpoint, updateEndpoint, type EndpointChange } from './repository.ts';
import type { EndpointView } from './schema.ts';

type Deps = { clock: Clock; publicUrl: string };

/**
 * Pauses or resumes an endpoint; repeating it changes nothing. A paused endpoint answers authentic requests with 503
 * and `Retry-After`, so that the partner keeps its events and sends them again. Nobody waits for one that is paused.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`
 */
export const setEndpointState = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  target: { id: string; state: 'active' | 'paused' },
): Promise<EndpointView> => {
  const found = await lockEndpoint(tx, target.id);
  const { endpoint } = found;
  if (endpoint.state === target.state) return viewEndpoint(found, deps);
  const now = deps.clock.now();
  const change: EndpointChange = { state: target.state, updatedAt: now, silentSince: null };
  if (endpoint.expectedEverySeconds !== null) change.expectedSince = now;
  await updateEndpoint(tx, target.id, change);
  await recordEndpointChange(tx, maker, target.id, {
    type: target.state === 'paused' ? 'impact_in.endpoint.paused' : 'impact_in.endpoint.resumed',
    category: 'admin',
    changes: { state: target.state },
  });
  return viewEndpoint({ ...found, endpoint: { ...endpoint, ...change } }, deps);
};
