import { createHmac } from 'node:crypto';
import { readJson } from '../../partners/read-event.ts';

/** A JSON pointer (RFC 6901) to a field of an object, at most eight names deep. */
export const pointerPattern = /^(?:\/(?:[^~/\p{Cc}\p{Cs}]|~[01])+){1,8}$/u;

const maxValueCharacters = 256;
const termBytes = 16;

/** What is searched for: text as it is, numbers and truth values as JSON writes them; null for anything else. */
const textOf = (value: unknown): string | null => {
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const text = isScalar ? String(value) : '';
  return text === '' || text.length > maxValueCharacters ? null : text;
};

const readPointer = (payload: unknown, pointer: string): unknown => {
  let value = payload;
  for (const escaped of pointer.slice(1).split('/')) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
};

/** What stands for a field's value in the index. The same for all endpoints of a company. */
export const termOf = (key: Buffer, pointer: string, text: string): Buffer =>
  createHmac('sha256', key)
    .update(JSON.stringify([pointer, text]))
    .digest()
    .subarray(0, termBytes);

/** The terms of a payload's fields that are there; none when the body is no JSON. Never throws: events come first. */
export const readTerms = (key: Buffer, pointers: readonly string[], body: Buffer): Buffer[] => {
  const payload = readJson(body)?.value;
  return pointers.flatMap((pointer) => {
    const text = textOf(readPointer(payload, pointer));
    return text === null ? [] : [termOf(key, pointer, text)];
  });
};
