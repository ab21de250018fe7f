import type { HmacProfile } from '../../verification/profile.ts';
import { rewriteJson } from './rewrite-json.ts';

/** A way of doing it that is not the profile's, with what to do about it. */
export type Variant<T> = { name: string; detail: string; advice: string; value: T };

const again =
  'Sign the bytes that are sent, after the last change to them; parsing and writing JSON anew changes them.';
const newline = 'Sign exactly the bytes that are sent, the end of the last line included.';

/** By hand: a pattern for what ends the text looks from each of many line ends that do not. */
const withoutLineEnds = (text: string): string => {
  let end = text.length;
  while (end > 0 && '\r\n'.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
};

/** Bodies that may have been signed instead of the one received; together some twenty times its size. */
export const bodyVariants = (body: Buffer): Variant<Buffer>[] => {
  const text = body.toString('latin1');
  const variants: Variant<Buffer>[] = [];
  const add = (name: string, detail: string, advice: string, value: Buffer): void => {
    if (!value.equals(body) && !variants.some((known) => known.value.equals(value)))
      variants.push({ name, detail, advice, value });
  };
  const latin1 = (changed: string): Buffer => Buffer.from(changed, 'latin1');
  add(
    'trailing_newline',
    'The body has a newline at its end that was not signed.',
    newline,
    latin1(withoutLineEnds(text)),
  );
  add(
    'trailing_newline',
    'A newline was signed at the end of the body that did not arrive.',
    newline,
    latin1(`${text}\n`),
  );
  add(
    'trailing_newline',
    'A newline was signed at the end of the body that did not arrive.',
    newline,
    latin1(`${text}\r\n`),
  );
  add(
    'line_ends',
    'The lines of the body ended otherwise when it was signed.',
    newline,
    latin1(text.replaceAll('\r\n', '\n')),
  );
  add(
    'line_ends',
    'The lines of the body ended otherwise when it was signed.',
    newline,
    latin1(text.replaceAll(/\r?\n/g, '\r\n')),
  );
  for (const { form, text: written } of rewriteJson(body))
    add(
      'body_rewritten',
      `The signature is over the same JSON written ${form}: the body was written anew after it was signed.`,
      again,
      Buffer.from(written),
    );
  return variants;
};

const stampForms = (text: string): string[] => {
  const ms = /^\d{1,15}$/.test(text) ? Number(text) * (text.length > 11 ? 1 : 1_000) : Date.parse(text);
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) return [];
  const iso = new Date(ms).toISOString();
  return [String(Math.floor(ms / 1_000)), String(ms), iso, iso.replace(/\.000Z$/, 'Z'), iso.replace(/\.\d+Z$/, 'Z')];
};

const otherTemplates = [
  '{body}',
  '{ts}.{body}',
  '{ts}:{body}',
  '{ts}{body}',
  'v0:{ts}:{body}',
  '{id}.{ts}.{body}',
  '{ts}.{id}.{body}',
  '{id}.{body}',
] as const;

/** What precedes the body; null when a part of it is missing. */
const fill = (template: string, ts: string | null, id: string | null): string | null => {
  if ((ts === null && template.includes('{ts}')) || (id === null && template.includes('{id}'))) return null;
  return template
    .replace(/\{body\}$/, '')
    .replace('{ts}', () => ts ?? '')
    .replace('{id}', () => id ?? '');
};

/**
 * Texts that may have been signed before the body instead of the profile's.
 *
 * @param parts as they arrived, in whatever header
 */
export const preambleVariants = (
  profile: HmacProfile,
  parts: { ts: string | null; id: string | null },
): { expected: string | null; others: Variant<string>[] } => {
  const { ts, id } = parts;
  const expected = fill(profile.signedTemplate, ts, id);
  const others: Variant<string>[] = [];
  const add = (name: string, detail: string, advice: string, value: string | null): void => {
    if (value !== null && value !== expected && !others.some((known) => known.value === value))
      others.push({ name, detail, advice, value });
  };
  if (profile.timestampFormat !== 'none' && ts !== null)
    for (const form of stampForms(ts))
      add(
        'timestamp_unit',
        'The timestamp was signed in another form than it was sent in, such as seconds instead of milliseconds.',
        'Sign the text of the timestamp exactly as it stands in the request.',
        fill(profile.signedTemplate, form, id),
      );
  for (const template of otherTemplates)
    add(
      'signed_text',
      `Signed was ${template}, expected is ${profile.signedTemplate}.`,
      `Sign ${profile.signedTemplate}, or create an endpoint whose profile says ${template}.`,
      fill(template, ts, id),
    );
  return { expected, others };
};

type KeyForm = (secret: string) => Buffer | null;

const base64 = (text: string): Buffer | null =>
  /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : null;
const withoutPrefix = (secret: string): string => secret.replace(/^whsec_/, '');

/** Ways in which senders turn the text of a secret into a key. */
export const keyForms: readonly Variant<KeyForm>[] = [
  {
    name: 'secret_as_text',
    detail: 'The text of the secret was used as the key; the scheme decodes it.',
    advice: 'Decode the secret as the scheme says before using it as the key.',
    value: (secret) => Buffer.from(secret),
  },
  {
    name: 'secret_decoded',
    detail: 'The secret was decoded from base64 without its prefix; the scheme takes its text as it is.',
    advice: 'Use the whole text of the secret as the key, `whsec_` included.',
    value: (secret) => base64(withoutPrefix(secret)),
  },
  {
    name: 'secret_without_prefix',
    detail: 'The text of the secret was used without its prefix.',
    advice: 'Use the secret as the scheme says: as whole text, or decoded after the prefix.',
    value: (secret) => Buffer.from(withoutPrefix(secret)),
  },
  {
    name: 'secret_hex',
    detail: 'The secret was decoded as hexadecimal digits.',
    advice: 'Use the secret in the encoding that the scheme says.',
    value: (secret) => (/^(?:[0-9a-fA-F]{2})+$/.test(secret) ? Buffer.from(secret, 'hex') : null),
  },
  {
    name: 'secret_newline',
    detail: 'The secret was used with a newline at its end, as it is read from a file.',
    advice: 'Remove the newline from the secret that the sender has stored.',
    value: (secret) => Buffer.from(`${secret}\n`),
  },
];
