import { recordAudit, type AuditActor } from '@impact-hub/audit';
import { coreProblems, type Clock, type RequestInfo, type Tx } from '@impact-hub/core';
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

export type SearchFields = {
  endpointId: string;
  fields: string[];
  /** ISO 8601, by field: what was processed before is not found by it. */
  searchableSince: Record<string, string>;
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
): Promise<SearchFields> => {
  const [endpoint] = await tx.orm
    .select({ partner: impactInEndpoint.partner })
    .from(impactInEndpoint)
    .where(eq(impactInEndpoint.id, endpointId));
  if (endpoint === undefined) throw endpointNotFound();
  const fields = [...new Set(asked ?? usualFields[endpoint.partner])];
  if (fields.length > 0) await deps.search.makeKey(tx);
  const now = deps.clock.now();
  const sinceNow = Object.fromEntries(fields.map((field) => [field, now.toISOString()]));
  const [setting] = await tx.sql<Pick<SearchFields, 'searchableSince'>[]>`
    insert into impact_in_search_setting as s (endpoint_id, company_id, fields, searchable_since, updated_at)
    values (${endpointId}, ${tx.companyId}, ${fields}::text[], ${JSON.stringify(sinceNow)}::text::jsonb, ${now})
    on conflict (endpoint_id) do update set fields = excluded.fields, updated_at = excluded.updated_at,
      searchable_since = excluded.searchable_since || (
        select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(s.searchable_since)
        where key = any(excluded.fields))
    returning searchable_since as "searchableSince"`;
  await recordAudit(tx, {
    type: 'impact_in.endpoint.search_changed',
    category: 'admin',
    ...changer,
    resource: { type: 'impact_in_endpoint', id: endpointId },
    changes: { fields },
  });
  deps.search.forget(endpointId);
  return { endpointId, fields, searchableSince: setting?.searchableSince ?? {} };
};

/** @throws ProblemError `impact_in.endpoint_not_found` */
export const getSearchFields = async (tx: Tx, endpointId: string): Promise<SearchFields> => {
  const [endpoint] = await tx.sql<{ fields: string[] | null; searchableSince: Record<string, string> | null }[]>`
    select s.fields, s.searchable_since as "searchableSince" from impact_in_endpoint e left join impact_in_search_setting s on s.endpoint_id = e.id
    where e.id = ${endpointId}`;
  if (endpoint === undefined) throw endpointNotFound();
  return { endpointId, fields: endpoint.fields ?? [], searchableSince: endpoint.searchableSince ?? {} };
};

/** @throws ProblemError `request.invalid` when the field is searchable for no endpoint, or not for the one asked for */
export const requireSearchable = async (tx: Tx, field: string, endpointId: string | undefined): Promise<void> => {
  const [setting] = await tx.sql`
    select 1 from impact_in_search_setting where company_id = ${tx.companyId} and ${field} = any(fields)
    ${endpointId === undefined ? tx.sql`` : tx.sql`and endpoint_id = ${endpointId}::uuid`} limit 1`;
  if (setting !== undefined) return;
  const whose = endpointId === undefined ? 'for any endpoint' : 'for this endpoint';
  const detail = `${field} is not searchable ${whose}; PUT /api/v1/impact-in/endpoints/{id}/search-fields makes it so for events from then on.`;
  throw coreProblems.requestInvalid({ detail, errors: [{ pointer: '/query/field', detail }] });
};
