import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { encodeBase62, randomBase62 } from './base62.ts';

export type KeyEnvironment = 'live' | 'test';

const keyIdLength = 12;
/** 43 characters of base62 hold 256.03 bits. */
const secretLength = 43;
/** 62^6 > 2^32. */
const checksumLength = 6;
const prefixLength = 'teei_live_'.length;
const checksumAt = prefixLength + keyIdLength + secretLength;

/** Length of every key: 71 characters. */
export const apiKeyLength: number = checksumAt + checksumLength;

/**
 * Finds keys in any text; published for secret scanners. Groups: environment, key id, secret, checksum. The checksum
 * is the CRC-32 (ISO-HDLC, as in zlib) of the 65 characters before it, big-endian base62 (`0-9A-Za-z`) padded with
 * `0` to 6 characters.
 */
export const apiKeyPattern: RegExp = /\bteei_(live|test)_([0-9A-Za-z]{12})([0-9A-Za-z]{43})([0-9A-Za-z]{6})\b/;

const exactPattern = /^teei_(?:live|test)_[0-9A-Za-z]{61}$/;

const checksumOf = (beforeChecksum: string): string => encodeBase62(crc32(beforeChecksum), checksumLength);

/** Uniform random bytes; injected so that tests can repeat them. */
export type RandomBytes = (size: number) => Buffer;

/** Makes a new key and its public id. */
export const generateApiKey = (
  environment: KeyEnvironment,
  random: RandomBytes = randomBytes,
): { key: string; keyId: string } => {
  const keyId = randomBase62(keyIdLength, random);
  return { keyId, key: composeApiKey(environment, keyId, random) };
};

/** A key with a fresh secret under an existing key id. */
export const composeApiKey = (
  environment: KeyEnvironment,
  keyId: string,
  random: RandomBytes = randomBytes,
): string => {
  const body = `teei_${environment}_${keyId}${randomBase62(secretLength, random)}`;
  return body + checksumOf(body);
};

/** Whether a text is shaped like a key; costs no lookup. The checksum finds typing errors, it proves nothing. */
export const inspectApiKey = (text: string): 'well_formed' | 'malformed' | 'bad_checksum' => {
  if (text.length !== apiKeyLength || !exactPattern.test(text)) return 'malformed';
  return checksumOf(text.slice(0, checksumAt)) === text.slice(checksumAt) ? 'well_formed' : 'bad_checksum';
};

/** The public id inside a well-formed key. */
export const keyIdOf = (key: string): string => key.slice(prefixLength, prefixLength + keyIdLength);

/** The environment inside a well-formed key. */
export const environmentOf = (key: string): KeyEnvironment => (key.startsWith('teei_live_') ? 'live' : 'test');

/** SHA-256 of the whole key in base64: all that is ever stored or cached. A fast hash is right for 256 random bits. */
export const digestApiKey = (key: string): string => hash('sha256', key, 'base64');
