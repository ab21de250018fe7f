import { isSensitiveName, redacted, redactString } from './redact-sensitive.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

const maxDepth = 20;

const refuse = (path: string, what: string): never => {
  throw new TypeError(`audit event field ${path} is ${what}, which has no exact JSON form`);
};

const isPlainObject = (value: object): value is Record<string, unknown> => {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

const fromObject = (value: object, path: string, depth: number): JsonValue => {
  if (depth >= maxDepth) return `[more than ${maxDepth} levels deep]`;
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? refuse(path, 'an invalid date') : value.toISOString();
  if (Array.isArray(value))
    return value.map((item: unknown, index) => toJsonValue(item, `${path}/${index}`, depth + 1));
  if (!isPlainObject(value)) return refuse(path, `a ${value.constructor?.name ?? 'special object'}`);
  // fromEntries defines own properties, so that a field named __proto__ stays a field.
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      const itemPath = `${path}/${name}`;
      const isHidden = isSensitiveName(name) && item !== null && typeof item !== 'boolean';
      return [name.toWellFormed(), isHidden ? redacted : toJsonValue(item, itemPath, depth + 1)];
    }),
  );
};

/**
 * A copy that is JSON and nothing else, without secrets. JCS itself is too forgiving for evidence: it drops `undefined`
 * and writes a Map as `{}`. What a caller of the API can type never throws, for it must not fail the change it describes:
 * numbers are the doubles the hub worked with, which JCS writes exactly, 1e999 becomes text, lone surrogates become U+FFFD
 * as in the database, excessive depth is cut with a note. Dates become ISO text.
 *
 * @throws TypeError naming the field whose value is no JSON
 */
export const toJsonValue = (value: unknown, path: string, depth = 0): JsonValue => {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'string') return redactString(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'object') return fromObject(value, path, depth);
  return refuse(path, typeof value);
};
