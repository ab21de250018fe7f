import { createHmac } from 'node:crypto';
import { KeyStoreError } from './errors.ts';
import type { KeyScope, KeyVersion } from './key-scope.ts';
import { associatedData } from './associated-data.ts';
import { keyBytes, nonceBytes, xaesOpen, xaesSeal } from './xaes-256-gcm.ts';

export type RandomBytes = (count: number) => Buffer;

export type DataKeyWrapping = {
  /** Public name of the root key, stored beside every wrapped key so that a foreign root key is recognised as such. */
  rootKeyId: string;
  wrap(scope: KeyScope, key: KeyVersion, dataKey: Uint8Array): Buffer;
  /** @throws KeyStoreError when the row was wrapped by another root key or has been altered */
  unwrap(scope: KeyScope, key: KeyVersion, row: { wrapped: Uint8Array; rootKeyId: string }): Buffer;
};

const wrappingContext = 'crypto_key.wrapped';

/** A name for a root key that says nothing about it; stored with what the key wraps. */
export const rootKeyIdOf = (rootKey: Uint8Array): string =>
  createHmac('sha256', rootKey).update('impact-hub root key id').digest('hex').slice(0, 16);

/** Wraps data keys with the root key; a wrapped key opens only in its own company, purpose, series and version. */
export const dataKeyWrapping = (rootKey: Buffer, randomBytes: RandomBytes): DataKeyWrapping => {
  if (rootKey.length !== keyBytes) throw new KeyStoreError(`The root key must be ${keyBytes} bytes.`);
  const rootKeyId = rootKeyIdOf(rootKey);
  return {
    rootKeyId,
    wrap: (scope, key, dataKey) =>
      xaesSeal(rootKey, randomBytes(nonceBytes), associatedData(scope, key, wrappingContext), dataKey),
    unwrap: (scope, key, row) => {
      if (row.rootKeyId !== rootKeyId)
        throw new KeyStoreError(
          `Stored keys were wrapped by root key ${row.rootKeyId}, but this process has root key ${rootKeyId}.`,
        );
      const dataKey = xaesOpen(rootKey, associatedData(scope, key, wrappingContext), row.wrapped);
      if (dataKey?.length !== keyBytes)
        throw new KeyStoreError(`Key ${key.kid} version ${key.version} has been altered in the database.`);
      return dataKey;
    },
  };
};
