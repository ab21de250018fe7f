import type { KeyVersion } from './key-scope.ts';
import { nonceBytes, tagBytes } from './xaes-256-gcm.ts';

/** A ciphertext taken apart: which key, and `nonce ‖ ciphertext ‖ tag`. */
export type ParsedCiphertext = KeyVersion & { sealed: Uint8Array };

const token =
  /^hub1\.([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.([1-9]\d{0,9})\.([A-Za-z0-9_-]+)$/;
const maxVersion = 2_147_483_647;

/** `hub1.<kid>.<version>.<base64url of nonce ‖ ciphertext ‖ tag>` */
export const formatToken = (key: KeyVersion, sealed: Buffer): string =>
  `hub1.${key.kid}.${key.version}.${sealed.toString('base64url')}`;

/** @returns undefined when the text is not exactly what `formatToken` writes; every token has one spelling only */
export const parseToken = (text: string): ParsedCiphertext | undefined => {
  const match = token.exec(text);
  if (match === null) return undefined;
  const [, kid, version, body] = match as unknown as [string, string, string, string];
  const sealed = Buffer.from(body, 'base64url');
  if (sealed.toString('base64url') !== body || Number(version) > maxVersion) return undefined;
  return { kid, version: Number(version), sealed };
};

const formatByte = 1;
const kidBytes = 16;
const headerBytes = 1 + kidBytes + 4;

/** The header of sealed bytes: format 1, kid (16 bytes), version (4 bytes, big endian). */
export const sealedHeader = (key: KeyVersion): Buffer => {
  const header = Buffer.alloc(headerBytes);
  header[0] = formatByte;
  header.write(key.kid.replaceAll('-', ''), 1, 'hex');
  header.writeUInt32BE(key.version, 1 + kidBytes);
  return header;
};

const uuidText = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');

/** @returns undefined when the bytes cannot have been made by a sealer */
export const parseSealed = (bytes: Uint8Array): ParsedCiphertext | undefined => {
  if (bytes.length < headerBytes + nonceBytes + tagBytes || bytes[0] !== formatByte) return undefined;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = buffer.readUInt32BE(1 + kidBytes);
  if (version < 1 || version > maxVersion) return undefined;
  return { kid: uuidText(buffer.toString('hex', 1, 1 + kidBytes)), version, sealed: buffer.subarray(headerBytes) };
};
