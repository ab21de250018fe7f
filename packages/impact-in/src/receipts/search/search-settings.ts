import { recordAudit, type AuditActor } from '@impact-hub/audit';
import type { Clock, RequestInfo, Tx } from '@impact-hub/core';
import { eq } from 'drizzle-orm';
import { endpointNotFound } from '../../problems.ts';
import { impactInEndpoint } from '../../tables.ts';
import type { PartnerName } from '../../verification/profile.ts';
import type { SearchIndex } from './search-index.ts';

/** What people look for in the events of a partner. */
const usualFields: Record<PartnerName, readonly string[]> = {
  benevity: ['/organization_id', '/transaction_id', '/status'],
  goodera: ['/projectId', '/transactionId', '/status'],
  workday: ['/activityId', '/enrollmentId', '/status'],
};

type Changer = { actor: AuditActor; request: Pick<RequestInfo, 'id' | 'ip' | 'userAgent'> };

/**
 * Says by which fields the events of an endpoint can be found, from now on; none ends it.
 *
 * @param fields default: the usual ones of the partner
 * @throws ProblemError `impact_in.endpoint_not_found`
 */
export const setSearchFields = async (
  tx: Tx,
  deps: { clock: Clock; search: SearchIndex },
  changer: Changer,
  { endpointId, fields: asked }: { endpointId: string; fields: readonly string[] | undefined },
): Promise<{ endpointId: string; fields: string[] }> => {
  const [endpoint] = await tx.orm
    .select({ partner: impactInEndpoint.partner })
    .from(impactInEndpoint)
    .where(eq(impactInEndpoint.id, endpointId));
  if (endpoint === undefined) throw endpointNotFound();
  const fields = [...new Set(asked ?? usualFields[endpoint.partner])];
  if (fields.length > 0) await deps.search.makeKey(tx);
  await tx.sql`
    insert into impact_in_search_setting (endpoint_id, company_id, fields, updated_at)
    values (${endpointId}, ${tx.companyId}, ${fields}::text[], ${deps.clock.now()})
    on conflict (endpoint_id) do update set fields = excluded.fields, updated_at = excluded.updated_at`;
  await recordAudit(tx, {
    type: 'impact_in.endpoint.search_changed',
    category: 'admin',
    ...changer,
    resource: { type: 'impact_in_endpoint', id: endpointId },
    changes: { fields },
  });
  deps.search.forget(endpointId);
  return { endpointId, fields };
};

/** @throws ProblemError `impact_in.endpoint_not_found` */
export const getSearchFields = async (
  tx: Tx,
  endpointId: string,
): Promise<{ endpointId: string; fields: string[] }> => {
  const [endpoint] = await tx.sql<{ fields: string[] | null }[]>`
    select s.fields from impact_in_endpoint e left join impact_in_search_setting s on s.endpoint_id = e.id
    where e.id = ${endpointId}`;
  if (endpoint === undefined) throw endpointNotFound();
  return { endpointId, fields: endpoint.fields ?? [] };
};
