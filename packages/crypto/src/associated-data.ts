import type { KeyScope, KeyVersion } from './key-scope.ts';

const algorithm = 'XAES-256-GCM';

const jsonText = (text: string): string => {
  if (!text.isWellFormed()) throw new TypeError('context must be well-formed Unicode');
  return JSON.stringify(text);
};

/**
 * RFC 8785 (JCS) of a context. For strings, and flat objects of strings, that is JSON.stringify with the names sorted
 * by UTF-16 unit.
 *
 * @param context names the place of the ciphertext (table, column, row) so that it cannot be moved to another
 * @throws TypeError when the context is empty or not well-formed Unicode
 */
export const contextText = (context: Record<string, string> | string): string => {
  if (typeof context === 'string' ? context === '' : Object.keys(context).length === 0)
    throw new TypeError('context must not be empty');
  if (typeof context === 'string') return jsonText(context);
  const fields = Object.keys(context)
    .sort()
    .map((name) => `${jsonText(name)}:${jsonText(context[name] as string)}`);
  return `{${fields.join(',')}}`;
};

/** JCS of `{alg, company, ctx, kid, purpose, ver}`, cut open at `ctx` so that a sealer prepares both ends once. */
export const associatedDataEnds = (scope: KeyScope, key: KeyVersion): [before: string, after: string] => [
  `{"alg":"${algorithm}","company":"${scope.companyId}","ctx":`,
  `,"kid":"${key.kid}","purpose":"${scope.purpose}","ver":${key.version}}`,
];

/** What the tag vouches for besides the plaintext: algorithm, company, purpose, key, version and context. */
export const associatedData = (scope: KeyScope, key: KeyVersion, context: Record<string, string> | string): Buffer => {
  const [before, after] = associatedDataEnds(scope, key);
  return Buffer.from(before + contextText(context) + after);
};
