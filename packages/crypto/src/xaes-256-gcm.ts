import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

/** Sizes in bytes, from C2SP XAES-256-GCM (https://c2sp.org/XAES-256-GCM) and NIST SP 800-38D. */
export const keyBytes = 32;
export const nonceBytes = 24;
export const tagBytes = 16;
const blockBytes = 16;
const prefixBytes = nonceBytes / 2;

/** Reduction constant of the CMAC subkey (NIST SP 800-38B, section 5.3, 128-bit blocks). */
const cmacReduction = 0b1000_0111;

// A KeyObject made on the spot is about four times faster than handing the cipher a Buffer (Node 24: 3 against 10 µs).
const encryptBlocks = (key: Uint8Array, blocks: Buffer): Buffer => {
  const cipher = createCipheriv('aes-256-ecb', createSecretKey(key), null);
  cipher.setAutoPadding(false);
  return cipher.update(blocks);
};

const cmacSubkey = (key: Uint8Array): Buffer => {
  const block = encryptBlocks(key, Buffer.alloc(blockBytes));
  const carry = (block[0] as number) >> 7;
  for (let i = 0; i < blockBytes - 1; i += 1) block[i] = ((block[i] as number) << 1) | ((block[i + 1] as number) >> 7);
  block[blockBytes - 1] = ((block[blockBytes - 1] as number) << 1) ^ (carry * cmacReduction);
  return block;
};

/**
 * The AES-256-GCM key for one nonce prefix: NIST SP 800-108r1 counter KDF over CMAC-AES-256, label `X`.
 *
 * @param key 32 bytes
 * @param noncePrefix the first 12 of the 24 nonce bytes
 */
export const deriveSubkey = (key: Uint8Array, noncePrefix: Uint8Array): KeyObject => {
  const subkey = cmacSubkey(key);
  const messages = Buffer.alloc(2 * blockBytes);
  for (const counter of [1, 2]) {
    const message = messages.subarray((counter - 1) * blockBytes, counter * blockBytes);
    message[1] = counter;
    message[2] = 0x58;
    message.set(noncePrefix, 4);
    for (let i = 0; i < blockBytes; i += 1) message[i] = (message[i] as number) ^ (subkey[i] as number);
  }
  const derived = encryptBlocks(key, messages);
  const subkeyObject = createSecretKey(derived);
  derived.fill(0);
  subkey.fill(0);
  return subkeyObject;
};

/** AES-256-GCM under a derived subkey. @returns ciphertext and the 16-byte tag, in two parts */
export const sealWithSubkey = (
  subkey: KeyObject,
  nonceSuffix: Uint8Array,
  associatedData: Uint8Array,
  plaintext: Uint8Array,
): [ciphertext: Buffer, tag: Buffer] => {
  const cipher = createCipheriv('aes-256-gcm', subkey, nonceSuffix, { authTagLength: tagBytes });
  cipher.setAAD(associatedData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return [ciphertext, cipher.getAuthTag()];
};

/**
 * XAES-256-GCM encryption.
 *
 * @param key 32 bytes
 * @param nonce 24 bytes, random; never used twice with the same key
 * @returns nonce ‖ ciphertext ‖ tag
 */
export const xaesSeal = (
  key: Uint8Array,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  plaintext: Uint8Array,
): Buffer => {
  const subkey = deriveSubkey(key, nonce.subarray(0, prefixBytes));
  return Buffer.concat([nonce, ...sealWithSubkey(subkey, nonce.subarray(prefixBytes), associatedData, plaintext)]);
};

/**
 * XAES-256-GCM decryption. Nothing is returned before the tag has been checked.
 *
 * @param sealed nonce ‖ ciphertext ‖ tag
 * @returns undefined when anything does not fit
 */
export const xaesOpen = (key: Uint8Array, associatedData: Uint8Array, sealed: Uint8Array): Buffer | undefined => {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const subkey = deriveSubkey(key, sealed.subarray(0, prefixBytes));
  const decipher = createDecipheriv('aes-256-gcm', subkey, sealed.subarray(prefixBytes, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(associatedData);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const plaintext = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return undefined;
  }
};
