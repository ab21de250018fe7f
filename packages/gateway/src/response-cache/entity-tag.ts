import { createHash } from 'node:crypto';

/** The strong entity tag of a body: 128 bits of its SHA-256. */
export const entityTagOf = (body: string): string =>
  `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;

const withoutWeakness = (tag: string): string => (tag.startsWith('W/') ? tag.slice(2) : tag);

/** Whether `If-None-Match` names the tag, by the weak comparison that RFC 9110 §13.1.2 asks for. */
export const matchesEntityTag = (ifNoneMatch: string | undefined, tag: string): boolean => {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === '*') return true;
  return ifNoneMatch.split(',', 50).some((given) => withoutWeakness(given.trim()) === tag);
};
