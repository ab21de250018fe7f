import type { Tx } from '@impact-hub/core';
import { createHash } from 'node:crypto';

export type RecordId = { companyId: string; caller: string; keyHash: Buffer };

export type StoredRecord = {
  fingerprint: Buffer;
  status: number;
  sealed: Buffer | null;
  answeredAt: Date;
  expiresAt: Date;
};

/** 64 bits for PostgreSQL's advisory locks. Two ids that share them only have to wait for each other. */
const lockKeyOf = ({ companyId, caller, keyHash }: RecordId): string =>
  createHash('sha256')
    .update(JSON.stringify([companyId, caller]))
    .update(keyHash)
    .digest()
    .readBigInt64BE()
    .toString();

/**
 * Takes the lock of the id until the transaction ends, unless another transaction has it, and then reads what is
 * stored: two statements in one round trip, so that the second sees what the lock's last holder committed.
 */
export const claimRecord = async (
  tx: Tx,
  id: RecordId,
): Promise<{ isHeld: boolean; stored: StoredRecord | undefined }> => {
  const [[lock], [stored]] = await Promise.all([
    tx.sql<{ isHeld: boolean }[]>`select pg_try_advisory_xact_lock(${lockKeyOf(id)}::bigint) as "isHeld"`,
    tx.sql<StoredRecord[]>`
      select fingerprint, status, sealed, answered_at as "answeredAt", expires_at as "expiresAt"
      from idempotency_record
      where company_id = ${id.companyId} and caller = ${id.caller} and key_hash = ${id.keyHash}`,
  ]);
  return { isHeld: lock?.isHeld === true, stored };
};

/** Stores an answer, in the place of an expired one if need be. @returns false when one is there that still counts */
export const insertRecord = async (tx: Tx, id: RecordId, record: StoredRecord): Promise<boolean> => {
  const { fingerprint, status, sealed, answeredAt, expiresAt } = record;
  const written = await tx.sql`
    insert into idempotency_record as r
      (company_id, caller, key_hash, fingerprint, status, sealed, answered_at, expires_at)
    values (${id.companyId}, ${id.caller}, ${id.keyHash}, ${fingerprint}, ${status}, ${sealed}, ${answeredAt}, ${expiresAt})
    on conflict (company_id, caller, key_hash) do update
    set fingerprint = excluded.fingerprint, status = excluded.status, sealed = excluded.sealed,
        answered_at = excluded.answered_at, expires_at = excluded.expires_at
    where r.expires_at <= excluded.answered_at`;
  return written.count === 1;
};
