import { newId, type Clock, type Database, type Tx } from '@impact-hub/core';
import { KeyStoreError } from './errors.ts';
import type { HeldKey } from './held-key.ts';
import type { KeyScope, KeyVersion } from './key-scope.ts';
import {
  deactivateKey,
  findActiveKey,
  findKeyVersion,
  findNewestVersion,
  insertKeyVersion,
  lockKeySeries,
  type KeyRow,
} from './repository.ts';
import type { DataKeyWrapping, RandomBytes } from './wrap-data-key.ts';
import { keyBytes } from './xaes-256-gcm.ts';

export type DataKeysDeps = { db: Database; wrapping: DataKeyWrapping; clock: Clock; randomBytes: RandomBytes };

const open = (deps: DataKeysDeps, scope: KeyScope, row: KeyRow): HeldKey | undefined => {
  if (row.wrapped === null) return undefined;
  const id: KeyVersion = { kid: row.kid, version: row.version };
  const key = deps.wrapping.unwrap(scope, id, { wrapped: row.wrapped, rootKeyId: row.rootKeyId });
  return { scope, id, key, loadedAtMs: deps.clock.nowMs(), erased: false };
};

/** Adds the next version of the series; the caller holds the series' lock and there is no active version. */
const addVersion = async (deps: DataKeysDeps, tx: Tx, scope: KeyScope): Promise<KeyVersion> => {
  const newest = await findNewestVersion(tx, scope);
  const id: KeyVersion = { kid: newest?.kid ?? newId(), version: (newest?.version ?? 0) + 1 };
  const dataKey = deps.randomBytes(keyBytes);
  const wrapped = deps.wrapping.wrap(scope, id, dataKey);
  dataKey.fill(0);
  await insertKeyVersion(tx, scope, {
    ...id,
    wrapped,
    rootKeyId: deps.wrapping.rootKeyId,
    createdAt: deps.clock.now(),
  });
  return id;
};

/**
 * The key that new ciphertext of the scope uses, made on first use. Whoever comes second while it is being made waits
 * for the series' lock and then finds it.
 */
export const loadActiveKey = (deps: DataKeysDeps, scope: KeyScope): Promise<HeldKey> =>
  deps.db.company(scope.companyId, async (tx) => {
    let row = await findActiveKey(tx, scope);
    if (row === undefined) {
      await lockKeySeries(tx, scope);
      row = await findActiveKey(tx, scope);
    }
    if (row === undefined) {
      await addVersion(deps, tx, scope);
      row = await findActiveKey(tx, scope);
    }
    const held = row === undefined ? undefined : open(deps, scope, row);
    if (held === undefined) throw new KeyStoreError(`No active key for ${scope.purpose} can be stored.`);
    return held;
  });

/** One version for decryption, in whatever state it is. @returns undefined when unknown to this scope, or destroyed */
export const loadKeyVersion = (deps: DataKeysDeps, scope: KeyScope, id: KeyVersion): Promise<HeldKey | undefined> =>
  deps.db.company(scope.companyId, async (tx) => {
    const row = await findKeyVersion(tx, scope, id);
    return row === undefined ? undefined : open(deps, scope, row);
  });

/** Deactivates the active version, if any, and adds the next one; `record` runs in the same transaction. */
export const rotateKey = (
  deps: DataKeysDeps,
  scope: KeyScope,
  record: (tx: Tx, rotated: KeyVersion) => Promise<unknown>,
): Promise<KeyVersion> =>
  deps.db.company(scope.companyId, async (tx) => {
    await lockKeySeries(tx, scope);
    await deactivateKey(tx, scope, deps.clock.now());
    const rotated = await addVersion(deps, tx, scope);
    await record(tx, rotated);
    return rotated;
  });
