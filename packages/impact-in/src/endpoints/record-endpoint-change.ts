import { recordAudit, type AuditEvent } from '@impact-hub/audit';
import { publishChange, type Tx } from '@impact-hub/core';
import type { EndpointMaker } from './create-endpoint.ts';
import { endpointTopic } from './endpoint-directory.ts';

/** Records in the audit trail what was done to an endpoint, and tells all processes; in the transaction that does it. */
export const recordEndpointChange = async (
  tx: Tx,
  maker: EndpointMaker,
  id: string,
  event: Pick<AuditEvent, 'type' | 'category' | 'severity' | 'changes' | 'metadata'>,
): Promise<void> => {
  const { actor, request } = maker;
  await recordAudit(tx, { ...event, actor, request, resource: { type: 'impact_in_endpoint', id } });
  await publishChange(tx, endpointTopic, id);
};
