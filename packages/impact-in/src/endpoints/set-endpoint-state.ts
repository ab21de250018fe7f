import { recordAudit } from '@impact-hub/audit';
import { publishChange, type Clock, type Tx } from '@impact-hub/core';
import { endpointNotFound } from '../problems.ts';
import type { EndpointMaker } from './create-endpoint.ts';
import { endpointTopic } from './endpoint-directory.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { findEndpoint, updateEndpointState } from './repository.ts';
import type { EndpointView } from './schema.ts';

type Deps = { clock: Clock; publicUrl: string };

/**
 * Pauses or resumes an endpoint; repeating it changes nothing. A paused endpoint answers authentic requests with 503
 * and `Retry-After`, so that the partner keeps its events and sends them again.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`
 */
export const setEndpointState = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  change: { id: string; state: 'active' | 'paused' },
): Promise<EndpointView> => {
  const changed = await updateEndpointState(tx, change.id, change.state, deps.clock.now());
  const found = await findEndpoint(tx, change.id);
  if (found === undefined) throw endpointNotFound();
  if (changed) {
    await recordAudit(tx, {
      type: change.state === 'paused' ? 'impact_in.endpoint.paused' : 'impact_in.endpoint.resumed',
      category: 'admin',
      actor: maker.actor,
      resource: { type: 'impact_in_endpoint', id: change.id },
      request: maker.request,
      changes: { state: change.state },
    });
    await publishChange(tx, endpointTopic, change.id);
  }
  return viewEndpoint(found, deps.publicUrl);
};
