import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, inArray, sql } from 'drizzle-orm';
import { impactInEndpoint, impactInEndpointSecret, type EndpointRow, type SecretRow } from '../tables.ts';
import type { PartnerName } from '../verification/profile.ts';

export type EndpointWithSecrets = { endpoint: EndpointRow; secrets: SecretRow[] };

export const insertEndpoint = async (tx: Tx, { endpoint, secrets }: EndpointWithSecrets): Promise<void> => {
  await tx.orm.insert(impactInEndpoint).values(endpoint);
  if (secrets.length > 0) await tx.orm.insert(impactInEndpointSecret).values(secrets);
};

const withSecrets = async (tx: Tx, endpoints: EndpointRow[]): Promise<EndpointWithSecrets[]> => {
  if (endpoints.length === 0) return [];
  const secrets = await tx.orm
    .select()
    .from(impactInEndpointSecret)
    .where(
      inArray(
        impactInEndpointSecret.endpointId,
        endpoints.map(({ id }) => id),
      ),
    )
    .orderBy(desc(impactInEndpointSecret.createdAt), desc(impactInEndpointSecret.id));
  const ofEndpoint = Map.groupBy(secrets, (secret) => secret.endpointId);
  return endpoints.map((endpoint) => ({ endpoint, secrets: ofEndpoint.get(endpoint.id) ?? [] }));
};

export const selectEndpoints = async (
  tx: Tx,
  filter: { partner: PartnerName | undefined; cursor: Cursor | undefined; limit: number },
): Promise<EndpointWithSecrets[]> => {
  const { partner, cursor, limit } = filter;
  const rows = await tx.orm
    .select()
    .from(impactInEndpoint)
    .where(
      and(
        eq(impactInEndpoint.companyId, tx.companyId ?? ''),
        partner === undefined ? undefined : eq(impactInEndpoint.partner, partner),
        cursor === undefined
          ? undefined
          : sql`(${impactInEndpoint.createdAt}, ${impactInEndpoint.id}) < (${new Date(cursor.atMs).toISOString()}::timestamptz, ${cursor.id}::uuid)`,
      ),
    )
    .orderBy(desc(impactInEndpoint.createdAt), desc(impactInEndpoint.id))
    .limit(limit + 1);
  return withSecrets(tx, rows);
};

export const findEndpoint = async (tx: Tx, id: string): Promise<EndpointWithSecrets | undefined> =>
  (await withSecrets(tx, await tx.orm.select().from(impactInEndpoint).where(eq(impactInEndpoint.id, id))))[0];

/** Takes the company's turn at creating endpoints, until the transaction ends, and counts what it has. */
export const countEndpoints = async (
  tx: Tx,
  companyId: string,
  claim: { partner: PartnerName; hint: string | null },
): Promise<{ all: number; withHint: number }> => {
  await tx.sql`select pg_advisory_xact_lock(hashtextextended(${`impact_in_endpoint ${companyId}`}, 0))`;
  const [counted] = await tx.sql<{ all: number; withHint: number }[]>`
    select count(*)::int as all, (count(*) filter (where partner = ${claim.partner} and hint = ${claim.hint}))::int as "withHint"
    from impact_in_endpoint where company_id = ${companyId}`;
  return counted ?? { all: 0, withHint: 0 };
};

/** @returns whether there is such an endpoint in another state */
export const updateEndpointState = async (
  tx: Tx,
  id: string,
  state: EndpointRow['state'],
  now: Date,
): Promise<boolean> => {
  const changed = await tx.sql`
    update impact_in_endpoint set state = ${state}, updated_at = ${now} where id = ${id} and state <> ${state} returning id`;
  return changed.length > 0;
};
