import type { Cursor, Tx } from '@impact-hub/core';
import { and, desc, eq, ne, sql } from 'drizzle-orm';
import type { PartnerName } from '../../verification/profile.ts';
import { impactInConnection, type ConnectionRow } from '../tables.ts';

const c = impactInConnection;

export const insertConnection = async (tx: Tx, row: ConnectionRow): Promise<void> => {
  await tx.orm.insert(c).values(row);
};

/** A connection that has not been deleted. @param lock keeps others from changing it until the transaction ends */
export const findConnection = async (tx: Tx, id: string, lock = false): Promise<ConnectionRow | undefined> => {
  const query = tx.orm
    .select()
    .from(c)
    .where(and(eq(c.id, id), ne(c.state, 'deleted')));
  return (await (lock ? query.for('update') : query))[0];
};

export const selectConnections = (
  tx: Tx,
  filter: { partner: PartnerName | undefined; cursor: Cursor | undefined; limit: number },
): Promise<ConnectionRow[]> => {
  const { partner, cursor, limit } = filter;
  return tx.orm
    .select()
    .from(c)
    .where(
      and(
        eq(c.companyId, tx.companyId ?? ''),
        ne(c.state, 'deleted'),
        partner === undefined ? undefined : eq(c.partner, partner),
        cursor === undefined
          ? undefined
          : sql`(${c.createdAt}, ${c.id}) < (${new Date(cursor.atMs).toISOString()}::timestamptz, ${cursor.id}::uuid)`,
      ),
    )
    .orderBy(desc(c.createdAt), desc(c.id))
    .limit(limit + 1);
};

export const updateConnection = async (tx: Tx, id: string, change: Partial<ConnectionRow>): Promise<void> => {
  await tx.orm.update(c).set(change).where(eq(c.id, id));
};

/** Takes the company's turn at creating connections, until the transaction ends, and counts what it has. */
export const countConnections = async (tx: Tx): Promise<number> => {
  await tx.sql`select pg_advisory_xact_lock(hashtextextended(${`impact_in_connection ${tx.companyId}`}, 0))`;
  const [row] = await tx.sql<{ count: number }[]>`
    select count(*)::int as count from impact_in_connection where company_id = ${tx.companyId} and state <> 'deleted'`;
  return row?.count ?? 0;
};
