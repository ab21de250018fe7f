import type { VerificationFailure } from './verification-failure.ts';

const maxHeaderCharacters = 4_096;

export type HeaderRead = { value: string } | { value: null; fault: 'absent' | VerificationFailure };

/**
 * The one value of a header that decides about authenticity. Reads `rawHeaders` (name, value, name, value…), because
 * Node's parsed headers join or drop duplicates, and two parties could then look at different values.
 *
 * @param name lower case
 */
export const readHeader = (rawHeaders: readonly string[], name: string): HeaderRead => {
  let value: string | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index];
    if (candidate?.length !== name.length || candidate.toLowerCase() !== name) continue;
    if (value !== undefined) return { value: null, fault: 'duplicate_header' };
    value = rawHeaders[index + 1];
  }
  if (value === undefined) return { value: null, fault: 'absent' };
  return value.length > maxHeaderCharacters ? { value: null, fault: 'header_too_long' } : { value };
};

/** Whether a header is there with any other value than the harmless one. */
const saysOther = (rawHeaders: readonly string[], name: string, harmless: string): boolean => {
  const header = readHeader(rawHeaders, name);
  return header.value === null ? header.fault !== 'absent' : header.value.trim().toLowerCase() !== harmless;
};

/**
 * Whether the body may differ from the bytes that were signed. Safe are an absent or `identity` content encoding, and
 * an absent or `chunked` transfer coding: Node undoes the chunks only (RFC 9112 §6.1 and §7).
 */
export const isEncoded = (rawHeaders: readonly string[]): boolean =>
  saysOther(rawHeaders, 'content-encoding', 'identity') || saysOther(rawHeaders, 'transfer-encoding', 'chunked');
