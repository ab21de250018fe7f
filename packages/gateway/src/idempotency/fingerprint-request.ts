import { createHash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';

export type FingerprintedRequest = {
  method: string;
  /** The route's pattern; the values of its parameters are in `params`. */
  path: string;
  params: unknown;
  query: unknown;
  /** Parsed JSON, or the bytes as sent. */
  body: unknown;
};

/** SHA-256 of everything that makes two requests the same one; 32 bytes. */
export const fingerprintRequest = ({ method, path, params, query, body }: FingerprintedRequest): Buffer => {
  const isRaw = Buffer.isBuffer(body);
  const digest = createHash('sha256');
  digest.update(canonicalJson([method, path, params, query, isRaw ? 'bytes' : 'json']));
  // One NUL between the two: canonical JSON holds none.
  digest.update('\0');
  return digest.update(isRaw ? body : canonicalJson(body)).digest();
};
