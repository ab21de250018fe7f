import { z } from 'zod';
import { holdsApiKey } from '../telemetry/redact.ts';

const controlCharacter = /\p{Cc}/u;
/** Postgres stores neither NUL nor half a surrogate pair. */
const isStorable = (text: string): boolean => text.isWellFormed() && !controlCharacter.test(text);

export const apiKeyInText = 'Contains an API key; leave it out.';

/** Adds to a schema what holds for every text that is kept and shown: no control character, no API key. */
export const keepable = (schema: z.ZodString): z.ZodString =>
  schema.refine(isStorable, 'Must not contain control characters.').refine((text) => !holdsApiKey(text), apiKeyInText);

/** One line for people, such as a name, of 1 to `maxLength` characters, without spaces around it. */
export const lineInput = (maxLength: number): z.ZodString =>
  keepable(z.string().trim().min(1, 'Must not be empty.').max(maxLength, `Must have at most ${maxLength} characters.`));
