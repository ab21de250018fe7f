import type { Tx } from '@impact-hub/core';
import { and, desc, eq } from 'drizzle-orm';
import type { KeyScope, KeyVersion } from './key-scope.ts';
import { cryptoKey } from './tables.ts';

export type KeyRow = KeyVersion & { wrapped: Buffer | null; rootKeyId: string };

const columns = {
  kid: cryptoKey.kid,
  version: cryptoKey.version,
  wrapped: cryptoKey.wrapped,
  rootKeyId: cryptoKey.rootKeyId,
};

// Row-level security confines every statement already; the company is named all the same, for the index and in depth.
const inScope = (scope: KeyScope) =>
  and(eq(cryptoKey.companyId, scope.companyId), eq(cryptoKey.purpose, scope.purpose));

export const findActiveKey = async (tx: Tx, scope: KeyScope): Promise<KeyRow | undefined> => {
  const [row] = await tx.orm
    .select(columns)
    .from(cryptoKey)
    .where(and(inScope(scope), eq(cryptoKey.state, 'active')));
  return row;
};

export const findKeyVersion = async (tx: Tx, scope: KeyScope, key: KeyVersion): Promise<KeyRow | undefined> => {
  const [row] = await tx.orm
    .select(columns)
    .from(cryptoKey)
    .where(and(inScope(scope), eq(cryptoKey.kid, key.kid), eq(cryptoKey.version, key.version)));
  return row;
};

export const findNewestVersion = async (tx: Tx, scope: KeyScope): Promise<KeyVersion | undefined> => {
  const [row] = await tx.orm
    .select({ kid: cryptoKey.kid, version: cryptoKey.version })
    .from(cryptoKey)
    .where(inScope(scope))
    .orderBy(desc(cryptoKey.version))
    .limit(1);
  return row;
};

export const insertKeyVersion = async (
  tx: Tx,
  scope: KeyScope,
  row: KeyVersion & { wrapped: Buffer; rootKeyId: string; createdAt: Date },
): Promise<void> => {
  await tx.sql`
    insert into crypto_key (company_id, kid, version, purpose, wrapped, root_key_id, created_at)
    values (${scope.companyId}, ${row.kid}, ${row.version}, ${scope.purpose}, ${row.wrapped}, ${row.rootKeyId}, ${row.createdAt})`;
};

export const deactivateKey = async (tx: Tx, scope: KeyScope, at: Date): Promise<void> => {
  await tx.orm
    .update(cryptoKey)
    .set({ state: 'deactivated', deactivatedAt: at })
    .where(and(inScope(scope), eq(cryptoKey.state, 'active')));
};

/** Lets one transaction at a time add a version to the scope's series. */
export const lockKeySeries = async (tx: Tx, scope: KeyScope): Promise<void> => {
  await tx.sql`select pg_advisory_xact_lock(hashtextextended(${`crypto_key/${scope.companyId}/${scope.purpose}`}, 0))`;
};
