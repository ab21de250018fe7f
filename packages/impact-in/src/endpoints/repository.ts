import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, inArray, isNotNull, isNull, sql } from 'drizzle-orm';
import {
  impactInEndpoint,
  impactInEndpointHeard,
  impactInEndpointSecret,
  type EndpointRow,
  type SecretRow,
} from '../tables.ts';
import { endpointNotFound } from '../problems.ts';
import type { PartnerName } from '../verification/profile.ts';

export type EndpointWithSecrets = {
  endpoint: EndpointRow;
  /** Newest first; of the last generations, see `recentGenerations`. */
  secrets: SecretRow[];
  /** When the partner was last heard there, some seconds late. */
  heardAt: Date | null;
};

export const insertSecrets = async (tx: Tx, secrets: SecretRow[]): Promise<void> => {
  if (secrets.length > 0) await tx.orm.insert(impactInEndpointSecret).values(secrets);
};

export const insertEndpoint = async (
  tx: Tx,
  { endpoint, secrets }: Pick<EndpointWithSecrets, 'endpoint' | 'secrets'>,
): Promise<void> => {
  await tx.orm.insert(impactInEndpoint).values(endpoint);
  await insertSecrets(tx, secrets);
};

/** However often an endpoint is rotated, this many of its last generations are read and shown. */
const recentGenerations = 20;
const isRecent = sql`${impactInEndpointSecret.generation} > (
  select max(newest.generation) - ${recentGenerations} from impact_in_endpoint_secret newest
  where newest.endpoint_id = ${impactInEndpointSecret.endpointId})`;

const withSecrets = async (tx: Tx, endpoints: EndpointRow[]): Promise<EndpointWithSecrets[]> => {
  if (endpoints.length === 0) return [];
  const ids = endpoints.map(({ id }) => id);
  const secrets = await tx.orm
    .select()
    .from(impactInEndpointSecret)
    .where(and(inArray(impactInEndpointSecret.endpointId, ids), isRecent))
    .orderBy(desc(impactInEndpointSecret.generation), desc(impactInEndpointSecret.id));
  const heard = await tx.orm.select().from(impactInEndpointHeard).where(inArray(impactInEndpointHeard.endpointId, ids));
  const ofEndpoint = Map.groupBy(secrets, (secret) => secret.endpointId);
  const heardAt = new Map(heard.map((row) => [row.endpointId, row.heardAt]));
  return endpoints.map((endpoint) => ({
    endpoint,
    secrets: ofEndpoint.get(endpoint.id) ?? [],
    heardAt: heardAt.get(endpoint.id) ?? null,
  }));
};

export const selectEndpoints = async (
  tx: Tx,
  filter: {
    partner: PartnerName | undefined;
    silent: boolean | undefined;
    cursor: Cursor | undefined;
    limit: number;
  },
): Promise<EndpointWithSecrets[]> => {
  const { partner, silent, cursor, limit } = filter;
  const { silentSince } = impactInEndpoint;
  const rows = await tx.orm
    .select()
    .from(impactInEndpoint)
    .where(
      and(
        eq(impactInEndpoint.companyId, tx.companyId ?? ''),
        isNull(impactInEndpoint.deletedAt),
        silent === undefined ? undefined : silent ? isNotNull(silentSince) : isNull(silentSince),
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

const isEndpoint = (id: string) => and(eq(impactInEndpoint.id, id), isNull(impactInEndpoint.deletedAt));

export const findEndpoint = async (tx: Tx, id: string): Promise<EndpointWithSecrets | undefined> =>
  (await withSecrets(tx, await tx.orm.select().from(impactInEndpoint).where(isEndpoint(id))))[0];

/**
 * The endpoint as it is once nobody else is changing it; others wait until the transaction ends.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`
 */
export const lockEndpoint = async (tx: Tx, id: string): Promise<EndpointWithSecrets> => {
  const rows = await tx.orm.select().from(impactInEndpoint).where(isEndpoint(id)).for('no key update');
  const [found] = await withSecrets(tx, rows);
  if (found === undefined) throw endpointNotFound();
  return found;
};

export type EndpointChange = Partial<Omit<EndpointRow, 'id' | 'companyId' | 'partner' | 'scheme' | 'createdAt'>>;

export const updateEndpoint = async (tx: Tx, id: string, change: EndpointChange): Promise<void> => {
  await tx.orm.update(impactInEndpoint).set(change).where(eq(impactInEndpoint.id, id));
};

export const updateSecrets = async (
  tx: Tx,
  secrets: readonly Pick<SecretRow, 'id'>[],
  change: Pick<SecretRow, 'state' | 'notAfter'>,
): Promise<void> => {
  if (secrets.length === 0) return;
  const ids = secrets.map(({ id }) => id);
  await tx.orm.update(impactInEndpointSecret).set(change).where(inArray(impactInEndpointSecret.id, ids));
};

/** Takes the company's turn at creating endpoints, until the transaction ends, and counts what it has. */
export const countEndpoints = async (
  tx: Tx,
  companyId: string,
  claim: { partner: PartnerName; hint: string | null },
): Promise<{ all: number; withHint: number }> => {
  await tx.sql`select pg_advisory_xact_lock(hashtextextended(${`impact_in_endpoint ${companyId}`}, 0))`;
  const [counted] = await tx.sql<{ all: number; withHint: number }[]>`
    select count(*)::int as all, (count(*) filter (where partner = ${claim.partner} and hint = ${claim.hint}))::int as "withHint"
    from impact_in_endpoint where company_id = ${companyId} and deleted_at is null`;
  return counted ?? { all: 0, withHint: 0 };
};
