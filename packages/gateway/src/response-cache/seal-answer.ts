import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { sharedAnswerSchema, type SharedAnswer } from './kept-answer.ts';

const saltBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
const bodyAt = saltBytes + nonceBytes + tagBytes;

/** A key of each entry's own: random nonces of one key must not be used more than 2^32 times. */
const keyOf = (secret: string, salt: Buffer): Buffer =>
  createHmac('sha256', secret).update('seal').update(salt).digest();

/** The name of an answer in Redis: keyed, so that neither callers nor what they asked can be read or guessed from it. */
export const sealedName = (secret: string, id: string): string =>
  `hub:{response:${createHmac('sha256', secret).update('name').update(id).digest('base64url').slice(0, 27)}}`;

/** Encrypts an answer for one name (AES-256-GCM): salt, nonce, tag, ciphertext. Under another name it does not open. */
export const sealAnswer = (secret: string, name: string, answer: SharedAnswer): Buffer => {
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret, salt), nonce).setAAD(Buffer.from(name));
  const ciphertext = Buffer.concat([cipher.update(JSON.stringify(answer), 'utf8'), cipher.final()]);
  return Buffer.concat([salt, nonce, cipher.getAuthTag(), ciphertext]);
};

/** @returns undefined for anything that `sealAnswer` did not make for this name: Redis is not believed */
export const openAnswer = (secret: string, name: string, sealed: Buffer): SharedAnswer | undefined => {
  try {
    const salt = sealed.subarray(0, saltBytes);
    const nonce = sealed.subarray(saltBytes, saltBytes + nonceBytes);
    const decipher = createDecipheriv('aes-256-gcm', keyOf(secret, salt), nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(name)).setAuthTag(sealed.subarray(saltBytes + nonceBytes, bodyAt));
    const text = Buffer.concat([decipher.update(sealed.subarray(bodyAt)), decipher.final()]).toString('utf8');
    return sharedAnswerSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
};
