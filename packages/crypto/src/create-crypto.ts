import type { Clock, Database, Tx } from '@impact-hub/core';
import { randomBytes as systemRandomBytes } from 'node:crypto';
import { associatedData } from './associated-data.ts';
import { formatToken, parseSealed, parseToken, type ParsedCiphertext } from './ciphertext-format.ts';
import { loadActiveKey, loadKeyVersion, rotateKey, type DataKeysDeps } from './data-keys.ts';
import { DecryptionFailed } from './errors.ts';
import type { HeldKey } from './held-key.ts';
import { cachedForMs, createKeyCache } from './key-cache.ts';
import { keyScope, type KeyScope, type KeyVersion } from './key-scope.ts';
import { createSealer, type ExpiringSealer, type Sealer } from './sealer.ts';
import { dataKeyWrapping, type RandomBytes } from './wrap-data-key.ts';
import { nonceBytes, xaesOpen, xaesSeal } from './xaes-256-gcm.ts';

/** Names the place of a ciphertext, e.g. `{table: 'endpoint', column: 'secret', row: id}`; at least one field. */
export type CryptoContext = Record<string, string>;

/**
 * Encryption with data keys per company and purpose. On a cold cache every method opens a transaction of its own, so
 * call them before opening yours: many open transactions that wait for a second connection each starve the pool.
 */
export type Crypto = {
  /** @returns `hub1.<kid>.<version>.<base64url>` */
  encrypt(input: KeyScope & { context: CryptoContext; plaintext: Uint8Array }): Promise<string>;
  /** @throws DecryptionFailed for every ciphertext that is not exactly this company's, purpose's and context's */
  decrypt(input: KeyScope & { context: CryptoContext; ciphertext: string }): Promise<Buffer>;
  /** A synchronous sealer, usable for at least 30 s and at most 60 s. */
  openSealer(input: KeyScope): Promise<Sealer>;
  /** Opens what a sealer of the same company, purpose and context made. @throws DecryptionFailed */
  unseal(input: KeyScope & { context: string; sealed: Uint8Array }): Promise<Buffer>;
  /**
   * Starts a new key version; old ciphertext stays readable. Other processes follow within 30 s.
   * @param record runs in the rotating transaction, for the audit event
   */
  rotateDataKey(input: KeyScope, record?: (tx: Tx, rotated: KeyVersion) => Promise<unknown>): Promise<KeyVersion>;
  /** Erases all keys held in memory; the next call loads them again. */
  close(): void;
};

export type CryptoOptions = {
  db: Database;
  /** 32 bytes; copied. */
  rootKey: Buffer;
  clock: Clock;
  randomBytes?: RandomBytes;
  /** Data keys held in memory. */
  maxCachedKeys?: number;
};

const sweepIntervalMs = 10_000;

const activeName = (scope: KeyScope): string => `${scope.companyId}/${scope.purpose}`;
const versionName = (scope: KeyScope, id: KeyVersion): string => `${activeName(scope)}/${id.kid}/${id.version}`;

/** The shared sealer of a held key, and the erasure of those that have expired. */
const createSealers = (clock: Clock, randomBytes: RandomBytes) => {
  const open = new Map<HeldKey, ExpiringSealer>();
  const expireUntil = (timeMs: number): void => {
    for (const [held, sealer] of open)
      if (sealer.expiresAtMs <= timeMs) {
        sealer.expire();
        open.delete(held);
      }
  };
  return {
    expireUntil,
    of: (held: HeldKey): Sealer => {
      let sealer = open.get(held);
      if (sealer === undefined) {
        sealer = createSealer(held, { clock, randomBytes, expiresAtMs: held.loadedAtMs + 2 * cachedForMs });
        open.set(held, sealer);
      }
      return sealer;
    },
  };
};

/** Opens the crypto service of this process. */
export const createCrypto = (options: CryptoOptions): Crypto => {
  const { db, clock, randomBytes = systemRandomBytes } = options;
  const wrapping = dataKeyWrapping(Buffer.from(options.rootKey), randomBytes);
  const deps: DataKeysDeps = { db, wrapping, clock, randomBytes };
  const cache = createKeyCache(clock, options.maxCachedKeys ?? 10_000);
  const sealers = createSealers(clock, randomBytes);
  const sweep = setInterval(() => {
    cache.sweep();
    sealers.expireUntil(clock.nowMs());
  }, sweepIntervalMs).unref();

  const withActiveKey = async <T>(scope: KeyScope, work: (held: HeldKey) => T): Promise<T> =>
    (await cache.use(activeName(scope), () => loadActiveKey(deps, scope), work)) as T;

  const open = async (
    scope: KeyScope,
    context: CryptoContext | string,
    parsed: ParsedCiphertext | undefined,
  ): Promise<Buffer> => {
    if (parsed === undefined) throw new DecryptionFailed();
    const plaintext = await cache.use(
      versionName(scope, parsed),
      () => loadKeyVersion(deps, scope, parsed),
      (held) => xaesOpen(held.key, associatedData(scope, held.id, context), parsed.sealed),
    );
    if (plaintext === undefined) throw new DecryptionFailed();
    return plaintext;
  };

  return {
    encrypt: async (input) => {
      const scope = keyScope(input);
      return withActiveKey(scope, ({ key, id }) =>
        formatToken(
          id,
          xaesSeal(key, randomBytes(nonceBytes), associatedData(scope, id, input.context), input.plaintext),
        ),
      );
    },
    decrypt: async (input) => open(keyScope(input), input.context, parseToken(input.ciphertext)),
    openSealer: async (input) => withActiveKey(keyScope(input), sealers.of),
    unseal: async (input) => open(keyScope(input), input.context, parseSealed(input.sealed)),
    rotateDataKey: async (input, record = async () => undefined) => {
      const scope = keyScope(input);
      const rotated = await rotateKey(deps, scope, record);
      cache.forget(activeName(scope));
      return rotated;
    },
    close: () => {
      clearInterval(sweep);
      cache.clear();
      sealers.expireUntil(Number.POSITIVE_INFINITY);
    },
  };
};
