import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { HmacProfile } from '../../verification/profile.ts';
import { secretKey } from '../../verification/secret-key.ts';
import type { Effort } from './effort.ts';
import { digestsIn, findHeader, type PresentedDigest } from './presented-digests.ts';
import { bodyVariants, keyForms, preambleVariants, type Variant } from './variants.ts';

/** A secret whose text is known here, and nowhere outside of this folder. */
export type CandidateSecret = { id: string; text: string };

export type Mistake = { name: string; detail: string; advice: string };

/** Which secret made one of the presented signatures, and what was done otherwise than the profile says. */
export type Match = { secretId: string; mistakes: Mistake[] };

export type Evidence = { profile: HmacProfile; rawHeaders: readonly string[]; body: Buffer };

/** Beyond it only what the profile says is tried. */
const maxBodyBytes = 65_536;

type Attempt = { key: KeyObject; preamble: string; body: Buffer; mistakes: Mistake[] };

const mistakeOf = ({ name, detail, advice }: Variant<unknown>): Mistake => ({ name, detail, advice });

const keysOf = (secret: CandidateSecret, profile: HmacProfile): { key: KeyObject; mistakes: Mistake[] }[] => {
  const own = secretKey(secret.text, profile.keyEncoding);
  const ownBytes = own?.export();
  const others = keyForms.flatMap((form) => {
    const bytes = form.value(secret.text);
    if (bytes === null || bytes.length === 0 || ownBytes?.equals(bytes) === true) return [];
    return [{ key: createSecretKey(bytes), mistakes: [mistakeOf(form)] }];
  });
  return own === null ? others : [{ key: own, mistakes: [] }, ...others];
};

type Parts = {
  digests: readonly PresentedDigest[];
  headerMistakes: Mistake[];
  preambles: ReturnType<typeof preambleVariants>;
};

const timestampIn = (profile: HmacProfile, signatureValue: string, rawHeaders: readonly string[]): string | null => {
  const inContainer = /(?:^|,)\s*t=([^,\s]{1,64})/.exec(signatureValue)?.[1];
  const header = findHeader(rawHeaders, profile.timestampHeader, 'timestamp');
  return (profile.timestampHeader === undefined ? inContainer : undefined) ?? header?.value ?? inContainer ?? null;
};

const readParts = ({ profile, rawHeaders }: Evidence): Parts | null => {
  const signature = findHeader(rawHeaders, profile.signatureHeader, 'signature');
  if (signature === undefined) return null;
  const digests = digestsIn(signature.value, profile);
  if (digests.length === 0) return null;
  const ts = timestampIn(profile, signature.value, rawHeaders);
  const id = findHeader(rawHeaders, profile.idHeader, 'id')?.value ?? null;
  const headerMistakes = signature.isExpected
    ? []
    : [
        {
          name: 'signature_header_name',
          detail: `The signature was sent in another header than ${profile.signatureHeader}.`,
          advice: `Send it in ${profile.signatureHeader}.`,
        },
      ];
  return { digests, headerMistakes, preambles: preambleVariants(profile, { ts, id }) };
};

/** The least mistakes first: what the profile says, then one thing done otherwise, then two. */
function* attemptsOf(
  evidence: Evidence,
  secret: CandidateSecret,
  parts: Parts,
  otherBodies: () => readonly Variant<Buffer>[],
): Generator<Attempt> {
  const { profile, body } = evidence;
  const { expected, others } = parts.preambles;
  const keys = keysOf(secret, profile);
  const [own] = keys;
  if (own === undefined) return;
  if (expected !== null) yield { ...own, preamble: expected, body };
  if (body.length > maxBodyBytes) return;
  const wrongKeys = keys.filter(({ mistakes }) => mistakes.length > 0);
  if (expected !== null) for (const key of wrongKeys) yield { ...key, preamble: expected, body };
  for (const other of others)
    yield { ...own, preamble: other.value, body, mistakes: [...own.mistakes, mistakeOf(other)] };
  if (expected !== null)
    for (const other of otherBodies())
      yield { ...own, preamble: expected, body: other.value, mistakes: [...own.mistakes, mistakeOf(other)] };
  for (const key of wrongKeys)
    for (const other of others)
      yield { ...key, preamble: other.value, body, mistakes: [...key.mistakes, mistakeOf(other)] };
}

const encodingMistake = ({ encoding }: HmacProfile, found: PresentedDigest): Mistake[] =>
  found.asExpected
    ? []
    : [
        {
          name: 'signature_encoding',
          detail:
            found.encoding === encoding
              ? 'The signature is right, but written in another kind of base64 or without its pad.'
              : `The signature is right, but written in ${found.encoding} instead of ${encoding}.`,
          advice: `Write the signature in ${encoding === 'hex' ? 'hexadecimal digits' : 'standard base64 with its pad'}.`,
        },
      ];

const tryAttempt = async (
  attempt: Attempt,
  digests: readonly PresentedDigest[],
  effort: Effort,
): Promise<PresentedDigest | 'exhausted' | undefined> => {
  const { key, preamble, body } = attempt;
  if (!(await effort.spend(preamble.length + body.length))) return 'exhausted';
  const expected = createHmac('sha256', key).update(preamble, 'latin1').update(body).digest();
  return digests.find(({ digest }) => digest.length === expected.length && timingSafeEqual(digest, expected));
};

/**
 * Finds out whether a secret made one of the presented signatures, done right or with mistakes that senders make. Says
 * so only when the bytes verify, so that nothing is guessed; what the right signature would be stays here.
 *
 * @param secrets in the order to try
 * @returns null when none did, when nothing that could be a signature was presented, or when the effort is exhausted
 */
export const findMistakes = async (
  evidence: Evidence,
  secrets: readonly CandidateSecret[],
  effort: Effort,
): Promise<Match | null> => {
  const parts = readParts(evidence);
  if (parts === null) return null;
  let bodies: readonly Variant<Buffer>[] | undefined;
  const otherBodies = () => (bodies ??= bodyVariants(evidence.body));
  for (const secret of secrets)
    for (const attempt of attemptsOf(evidence, secret, parts, otherBodies)) {
      const found = await tryAttempt(attempt, parts.digests, effort);
      if (found === 'exhausted') return null;
      if (found === undefined) continue;
      const mistakes = [...parts.headerMistakes, ...encodingMistake(evidence.profile, found), ...attempt.mistakes];
      return { secretId: secret.id, mistakes };
    }
  return null;
};

/**
 * Which of the secrets made one of the presented signatures exactly as the profile says; null when none did, or when the
 * effort is exhausted.
 */
export const findSecret = async (
  evidence: Evidence,
  secrets: readonly CandidateSecret[],
  effort: Effort,
): Promise<string | null> => {
  const parts = readParts(evidence);
  const preamble = parts?.preambles.expected ?? null;
  if (parts === null || preamble === null) return null;
  for (const { id, text } of secrets) {
    const key = secretKey(text, evidence.profile.keyEncoding);
    if (key === null) continue;
    const found = await tryAttempt({ key, preamble, body: evidence.body, mistakes: [] }, parts.digests, effort);
    if (found === 'exhausted') return null;
    if (found !== undefined) return id;
  }
  return null;
};
