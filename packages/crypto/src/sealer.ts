import type { Clock } from '@impact-hub/core';
import type { KeyObject } from 'node:crypto';
import { associatedDataEnds, contextText } from './associated-data.ts';
import { sealedHeader } from './ciphertext-format.ts';
import { SealerExpired } from './errors.ts';
import { eraseKey, type HeldKey } from './held-key.ts';
import type { RandomBytes } from './wrap-data-key.ts';
import { deriveSubkey, nonceBytes, sealWithSubkey } from './xaes-256-gcm.ts';

/**
 * Encrypts many small payloads synchronously. Valid for at least 30 s after `openSealer`; open one per batch.
 */
export type Sealer = {
  /**
   * @param context names the place the bytes are for; the same text is needed to unseal
   * @returns self-describing bytes: 61 more than the plaintext
   * @throws SealerExpired when it was kept too long
   */
  seal(context: string, plaintext: Uint8Array): Buffer;
};

export type ExpiringSealer = Sealer & { expiresAtMs: number; expire(): void };

const prefixBytes = nonceBytes / 2;
const messagesPerPrefix = 2 ** 20;
const counterOffset = prefixBytes - 4;

/**
 * One random 12-byte nonce prefix, hence one derived subkey, serves up to 2^20 messages; the other half of the nonce is
 * 8 random bytes and a counter. The result is plain XAES-256-GCM. Within a prefix the counter excludes a repeated nonce;
 * across prefixes two sealers would have to draw the same 20 random bytes.
 *
 * @param held copied, so that the sealer outlives the cache entry until `expiresAtMs`
 */
export const createSealer = (
  held: HeldKey,
  options: { clock: Clock; randomBytes: RandomBytes; expiresAtMs: number },
): ExpiringSealer => {
  const own: HeldKey = { ...held, key: Buffer.from(held.key), erased: false };
  const header = sealedHeader(held.id);
  const [before, after] = associatedDataEnds(held.scope, held.id);
  const suffix = Buffer.alloc(prefixBytes);
  let start = Buffer.alloc(0);
  let subkey: KeyObject | undefined;
  let used = messagesPerPrefix;

  const renewPrefix = (): KeyObject => {
    const prefix = options.randomBytes(prefixBytes);
    options.randomBytes(counterOffset).copy(suffix);
    start = Buffer.concat([header, prefix]);
    used = 0;
    return deriveSubkey(own.key, prefix);
  };
  const expire = (): void => {
    eraseKey(own);
    subkey = undefined;
  };

  return {
    expiresAtMs: options.expiresAtMs,
    expire,
    seal: (context, plaintext) => {
      if (own.erased || options.clock.nowMs() >= options.expiresAtMs) {
        expire();
        throw new SealerExpired();
      }
      const associatedData = Buffer.from(before + contextText(context) + after);
      if (subkey === undefined || used >= messagesPerPrefix) subkey = renewPrefix();
      suffix.writeUInt32BE(used, counterOffset);
      used += 1;
      return Buffer.concat([start, suffix, ...sealWithSubkey(subkey, suffix, associatedData, plaintext)]);
    },
  };
};
