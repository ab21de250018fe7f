import type { DeliveryStatus } from '../../tables.ts';
import type { AnswerFields } from '../partner-api.ts';

/** What a partner's answer says about one event, whatever its format. */
export type AnswerRead = {
  transactionId: string | null;
  /** Null when it does not say. */
  status: Exclude<DeliveryStatus, 'retrying'> | null;
  /** It knew the event already: a repetition, whose effect is there once. */
  isDuplicate: boolean;
  reason: string | null;
};

const words = {
  success: ['success', 'succeeded', 'ok', 'created', 'completed', 'processed'],
  pending: ['pending', 'accepted', 'received', 'queued', 'processing', 'submitted'],
  failed: ['failed', 'failure', 'error', 'rejected', 'invalid'],
} as const;
const statusWords = new Map<string, Exclude<DeliveryStatus, 'retrying'>>(
  (['success', 'pending', 'failed'] as const).flatMap((status) => words[status].map((word) => [word, status] as const)),
);
const duplicateWords = /^(?:duplicate|already[_ -]?(?:exists|processed|received))/i;

export type Fields = Record<string, unknown>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const at = (answer: Fields, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (isFields(value) ? value[name] : undefined), answer);

/** What partners say is cut to this; redacting comes later and has to know of it. */
export const maxTextCharacters = 300;

/** What a partner wrote as one line that can be kept: Postgres takes neither NUL nor half a surrogate pair. */
export const plainText = (text: string): string =>
  text
    .slice(0, maxTextCharacters)
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ');

/** The first of the fields that holds a text or number. */
export const textAt = (answer: Fields, paths: readonly string[]): string | null => {
  for (const path of paths) {
    const value = at(answer, path);
    if (typeof value === 'number' || (typeof value === 'string' && value !== '')) return plainText(String(value));
  }
  return null;
};

/** Longer ids are no ids; cut short, they would be somebody else's. */
const idAt = (answer: Fields, paths: readonly string[]): string | null => {
  const text = textAt(answer, paths);
  return text === null || text.length > 256 ? null : text;
};

/** Reads one answer by the names its API gives to the fields. */
export const readAnswer = (answer: Fields, fields: AnswerFields): AnswerRead => {
  const word = textAt(answer, fields.status) ?? '';
  const code = textAt(answer, ['code', 'error.code', 'error_code']) ?? '';
  const isDuplicate = duplicateWords.test(word) || duplicateWords.test(code);
  return {
    transactionId: idAt(answer, fields.transactionId),
    status: isDuplicate ? 'success' : (statusWords.get(word.toLowerCase()) ?? null),
    isDuplicate,
    reason: textAt(answer, fields.reason),
  };
};

export const parseFields = (text: string): Fields | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
};
