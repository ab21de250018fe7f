import { redactText } from '@impact-hub/core';

export const redacted = '[redacted]';

const words = (list: string): ReadonlySet<string> => new Set(list.split(' '));

/** A name with one of these words holds a secret … */
const secretWords = words(
  'secret secrets password passwords passwd pwd passphrase key keys token tokens credential credentials ' +
    'authorization cookie cookies otp pin bearer jwt',
);
/** … unless it ends by saying that it is only something about the secret. */
const aboutWords = words(
  'id ids at by count name names type kind state status version environment seconds ms minutes days policy length ' +
    'scheme expires expiry prefix',
);
/** Names written as one word. */
const secretEnding = /(secret|password|passwd|passphrase|token|apikey|privatekey|accesskey|credentials?)$/;

const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');

const judge = (name: string): boolean => {
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last === undefined || aboutWords.has(last)) return false;
  return words.some((word) => secretWords.has(word) || secretEnding.test(word));
};

/** Names come from the code, so they are few; whatever a caller could invent beyond that is judged anew. */
const maxJudged = 1_000;
const judged = new Map<string, boolean>();

/** Whether a field of this name holds a secret, judged by its words: `apiKey`, `client_secret`, not `keyId`. */
export const isSensitiveName = (name: string): boolean => {
  const known = judged.get(name);
  if (known !== undefined) return known;
  const isSensitive = judge(name);
  if (judged.size < maxJudged) judged.set(name, isSensitive);
  return isSensitive;
};

/** Removes what looks like a secret from a text, wherever it stands. */
export const redactString = (text: string): string => redactText(text.toWellFormed());
