import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import type { Answer } from '@impact-hub/core';

/** What a stored answer belongs to; an answer moved to another row does not open. */
export type AnswerPlace = { companyId: string; caller: string; fingerprint: Uint8Array; status: number };

export type AnswerSealer = {
  /** 32 bytes by which a key is found, and which do not tell it. */
  hashKey(idempotencyKey: string): Buffer;
  seal(idempotencyKey: string, place: AnswerPlace, answer: Pick<Answer, 'headers' | 'body'>): Buffer;
  /** @returns undefined when it was sealed under another secret or for another place */
  open(idempotencyKey: string, place: AnswerPlace, sealed: Uint8Array): Pick<Answer, 'headers' | 'body'> | undefined;
};

const cipherName = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

const associatedData = ({ companyId, caller, fingerprint, status }: AnswerPlace): Buffer =>
  Buffer.from(JSON.stringify([companyId, caller, Buffer.from(fingerprint).toString('base64'), status]));

/**
 * Seals answers by AES-256-GCM under a key derived (HKDF-SHA256) from the hub's secret and the caller's
 * Idempotency-Key. The key itself is stored nowhere: an answer that holds a new API key opens for the caller's retry
 * only, not for who has the database, nor, as far as Idempotency-Keys cannot be guessed, for who has the secret too.
 *
 * @param secret the same in all processes; at least 32 random bytes in any form
 */
export const createAnswerSealer = (secret: string): AnswerSealer => {
  const derive = (purpose: string, salt: string): Buffer => Buffer.from(hkdfSync('sha256', secret, salt, purpose, 32));
  const hashSecret = derive('idempotency key hash', '');
  const keyFor = (idempotencyKey: string): Buffer => derive('idempotency answer', idempotencyKey);
  return {
    hashKey: (idempotencyKey) => createHmac('sha256', hashSecret).update(idempotencyKey).digest(),
    seal: (idempotencyKey, place, { headers, body }) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(cipherName, keyFor(idempotencyKey), nonce).setAAD(associatedData(place));
      const text = cipher.update(JSON.stringify({ headers, body }), 'utf8');
      return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]);
    },
    open: (idempotencyKey, place, sealed) => {
      const bytes = Buffer.from(sealed);
      if (bytes.length < nonceBytes + tagBytes) return undefined;
      const options = { authTagLength: tagBytes };
      const cipher = createDecipheriv(cipherName, keyFor(idempotencyKey), bytes.subarray(0, nonceBytes), options)
        .setAAD(associatedData(place))
        .setAuthTag(bytes.subarray(-tagBytes));
      try {
        const text = [cipher.update(bytes.subarray(nonceBytes, -tagBytes)), cipher.final()];
        return JSON.parse(Buffer.concat(text).toString()) as Pick<Answer, 'headers' | 'body'>;
      } catch {
        return undefined;
      }
    },
  };
};
